"""Workers of a sweep: each draws values, trains, and tells the study what came out, until enough trials are finished."""

from __future__ import annotations

import dataclasses
import multiprocessing
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
    callbacks = [Reports(trial)] if len(sweep.objectives) == 1 and sweep.prune else []
    try:
        recipe = recipe_of(sweep, trial)
        folder = sweep.folder / "trials" / folder_name(trial, recipe)
        trial.set_user_attr("folder", str(folder))
        run = fit(recipe, folder, resume=True, progress=False, test=False, callbacks=callbacks)
        found = measured(sweep, recipe, run)
    except (SpikeseqError, RuntimeError) as error:  # values that do not go together; no memory left
        trial.set_user_attr("error", str(error)[:500])
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


def work(sweep: Sweep, told: Callable[[Any], None] = lambda trial: None) -> None:
    """Run trials until the study has ``sweep.trials`` finished ones; ``told(trial)`` is called after each of this worker.

    Raises the last error where as many trials as are wanted have failed by errors of their own.
    """
    with open_study(sweep) as study:
        _until_enough(sweep, study, told)


def _until_enough(sweep: Sweep, study: Any, told: Callable[[Any], None]) -> None:
    package = optuna()
    states = package.trial.TrialState

    def attempt(trial: Any) -> tuple[float, ...]:
        study.sampler = sampler_of(sweep, trial.number)
        return run_trial(sweep, trial)

    while True:
        with experimental():
            package.storages.fail_stale_trials(study)
        trials = study.get_trials(deepcopy=False)
        done = sum(t.state in (states.COMPLETE, states.PRUNED) for t in trials)
        failed = [t.user_attrs["error"] for t in trials if t.state == states.FAIL and "error" in t.user_attrs]
        if len(failed) >= sweep.trials:
            raise SpikeseqError(f"{len(failed)} trials have failed, as many as were asked for; the last: {failed[-1]}")
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

    Raises LostProcessError where all were lost before enough trials were finished.
    """
    with open_study(sweep):  # made once, before they all would
        pass
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:  # imports once for all workers
        context.set_forkserver_preload(["spikeseq.cli.main", "optuna"])
    threads = max(1, torch.get_num_threads() // workers)
    processes = [context.Process(target=_work, args=(sweep, threads)) for _ in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    lost = [k for k, process in enumerate(processes) if process.exitcode]
    if len(lost) == workers:
        raise LostProcessError(
            f"all {workers} workers of the sweep were lost (exit statuses {[p.exitcode for p in processes]}); finished "
            "trials are kept: run the same command to go on"
        )
    return lost


def _work(sweep: Sweep, threads: int) -> None:
    torch.set_num_threads(threads)
    work(sweep)
