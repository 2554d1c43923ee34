"""Workers of a sweep: each draws values, trains, and tells the study what came out, until enough trials are finished."""

from __future__ import annotations

import dataclasses
import multiprocessing
import sys
import time
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from spikeseq.errors import LostProcessError, SpikeseqError
from spikeseq.nn.spiking import as_spiking
from spikeseq.train.evaluate import counted_rows, operations
from spikeseq.train.fit import Run, fit
from spikeseq.train.inputs import load_data
from spikeseq.train.recipe import Recipe, make_recipe
from spikeseq.train.sweep.space import with_key
from spikeseq.train.sweep.study import Sweep, experimental, folder_name, open_study, optuna, sampler_of

WAIT = 0.5  # seconds between two looks at the others
NOTHING_HEARD = 60.0  # seconds after which a trial without any sign of life is given up


class Reports(Callback):
    """Tell a trial the score of each epoch, and stop it where the pruner says so."""

    def __init__(self, trial: Any) -> None:
        self.trial, self.told = trial, -1

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Report epochs that were not reported: of a resumed trial those before as well."""
        rows: Any = pl_module.history
        for row in rows:
            if row["epoch"] > self.told:
                self.told = row["epoch"]
                self.trial.report(row["score"], row["epoch"])
        if self.trial.should_prune():
            raise optuna().TrialPruned


def recipe_of(sweep: Sweep, trial: Any) -> Recipe:
    """The recipe with the values that a trial draws."""
    content = sweep.recipe.to_dict()
    for key, own in sweep.space.items():
        content = with_key(content, key, own.suggest(trial, key))
    return make_recipe(content)


def run_trial(sweep: Sweep, trial: Any) -> tuple[float, ...]:
    """Train, without a look at the test data, and return the objectives. Marks what went wrong on the trial."""
    callbacks = [Reports(trial)] if sweep.prunes else []
    try:
        recipe = recipe_of(sweep, trial)
        folder = sweep.folder / "trials" / folder_name(trial, recipe)
        trial.set_user_attr("folder", str(folder))
        run = fit(recipe, folder, resume=True, progress=False, test=False, callbacks=callbacks)
        found = measured(sweep, recipe, run)
    except optuna().TrialPruned:
        raise
    except Exception as error:  # values that do not go together; no memory left; a defect
        why = str(error) if isinstance(error, SpikeseqError) else f"{type(error).__name__}: {error}"
        trial.set_user_attr("error", why[:500])
        raise
    for name, value in found.items():
        trial.set_user_attr(name, value)
    return tuple(found[name] for name in sweep.objectives)


def measured(sweep: Sweep, recipe: Recipe, run: Run) -> dict[str, float]:
    """Accuracy on validation data and, where it is asked for, energy for each element, counted there as well."""
    metrics = run.record.metrics
    best = max(metrics["history"], key=lambda row: row["score"])
    found = {"accuracy": metrics.get("valid_accuracy", best["score"])}
    if "energy" in sweep.objectives:
        data: Any = load_data(recipe)
        rows = counted_rows(dataclasses.replace(data, test=data.valid))
        found["energy"] = operations(as_spiking(run.model).eval(), rows)[sweep.price]
    return found


def work(sweep: Sweep, told: Callable[[Any], None] = lambda trial: None, earlier: frozenset[int] | None = None) -> None:
    """Run trials until the study has ``sweep.trials`` finished ones; ``told(trial)`` is called after each of this worker.

    earlier   numbers of trials that failed before this command; None: those that have failed by now
    Raises SpikeseqError with the last error where, but for those, as many trials as are wanted have failed by errors of
    their own.
    """
    with open_study(sweep) as study:
        _until_enough(sweep, study, told, frozenset(_failures(study)) if earlier is None else earlier)


def _failures(study: Any, earlier: frozenset[int] = frozenset()) -> dict[int, str]:
    """Trials that failed by errors of their own, but for ``earlier`` ones: number -> error."""
    fail = optuna().trial.TrialState.FAIL
    return {
        t.number: t.user_attrs["error"]
        for t in study.get_trials(deepcopy=False)
        if t.state == fail and "error" in t.user_attrs and t.number not in earlier
    }


def _give_up(sweep: Sweep, failed: dict[int, str]) -> None:
    """Raise SpikeseqError where too many trials have failed."""
    if len(failed) >= sweep.trials:
        raise SpikeseqError(
            f"{len(failed)} trials have failed, as many as were asked for; the last: {failed[max(failed)]}"
        )


def _fail_silent(study: Any, seen: dict[int, float], seconds: float) -> None:
    """Fail trials whose worker died before their first sign of life: Optuna looks at those alone that have given one.

    A trial names its folder before it does anything else. ``seen``: when this worker first saw a trial without one, by its
    own clock, since those of other machines may go otherwise.
    """
    running, now = optuna().trial.TrialState.RUNNING, time.monotonic()
    for trial in study.get_trials(deepcopy=False, states=(running,)):
        if "folder" not in trial.user_attrs and now - seen.setdefault(trial.number, now) > seconds:
            study.tell(trial.number, state=optuna().trial.TrialState.FAIL, skip_if_finished=True)


def _until_enough(sweep: Sweep, study: Any, told: Callable[[Any], None], earlier: frozenset[int]) -> None:
    package = optuna()
    states, silent = package.trial.TrialState, dict[int, float]()

    def attempt(trial: Any) -> tuple[float, ...]:
        study.sampler = sampler_of(sweep, trial.number)
        return run_trial(sweep, trial)

    while True:
        with experimental():
            package.storages.fail_stale_trials(study)
        _fail_silent(study, silent, max(NOTHING_HEARD, 3 * sweep.heartbeat))
        trials = study.get_trials(deepcopy=False)
        done = sum(t.state in (states.COMPLETE, states.PRUNED) for t in trials)
        _give_up(sweep, _failures(study, earlier))
        if done >= sweep.trials:
            return
        if done + sum(t.state == states.RUNNING for t in trials) >= sweep.trials:
            time.sleep(WAIT)  # others are at the last ones; where one of them dies, its trial is queued again
            continue
        with experimental():
            study.optimize(
                attempt, 1, catch=(SpikeseqError, RuntimeError),
                callbacks=[lambda _, trial: told(trial)],
            )  # fmt: skip


def work_in(sweep: Sweep, workers: int) -> list[int]:
    """Run ``workers`` processes on the study and wait for them; return those that were lost.

    Raises SpikeseqError as :func:`work`, LostProcessError where all were lost before enough trials were finished.
    """
    with open_study(sweep) as study:  # made once, before they all would
        earlier = frozenset(_failures(study))
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:  # imports once for all workers
        context.set_forkserver_preload(["spikeseq.cli.main", "optuna"])
    threads = max(1, torch.get_num_threads() // workers)
    processes = [context.Process(target=_work, args=(sweep, threads, earlier)) for _ in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    lost = [k for k, process in enumerate(processes) if process.exitcode]
    if len(lost) == workers:
        with open_study(sweep) as study:
            failed = _failures(study, earlier)
        _give_up(sweep, failed)
        cause = f"; the last error of a trial: {failed[max(failed)]}" if failed else ""
        raise LostProcessError(
            f"all {workers} workers of the sweep were lost (exit statuses {[p.exitcode for p in processes]}); finished "
            f"trials are kept: run the same command to go on{cause}"
        )
    return lost


def _work(sweep: Sweep, threads: int, earlier: frozenset[int]) -> None:
    torch.set_num_threads(threads)
    try:
        work(sweep, earlier=earlier)
    except SpikeseqError as error:  # without a traceback
        sys.exit(f"error: a worker of the sweep: {error}")
