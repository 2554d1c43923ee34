"""``spikeseq sweep``: search for the best recipes, by accuracy, by energy, or by both."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from spikeseq.errors import ConfigError
from spikeseq.report.atomic import write_atomic
from spikeseq.report.columns import rich_table
from spikeseq.report.figure import save_png
from spikeseq.report.record import Record, write_record
from spikeseq.report.sweep_plots import pareto
from spikeseq.report.sweep_plots import trials as trials_plot
from spikeseq.train.recipe import read_recipe
from spikeseq.train.sweep.result import columns, record_of
from spikeseq.train.sweep.space import read_space
from spikeseq.train.sweep.study import Objective, Sweep, open_study
from spikeseq.train.sweep.worker import work, work_in

console = Console(soft_wrap=True, markup=False)


def sweep(
    recipe: str,
    space: str = "space.yaml",
    trials: int = 20,
    workers: int = 1,
    out: str | None = None,
    storage: str | None = None,
    objectives: list[Objective] | None = None,
    price: Literal["fp32", "fp16", "int32", "int8"] = "int32",
    memory: bool = False,
    prune: bool = True,
    seed: int = 0,
    heartbeat: int = 10,
    set: list[str] | None = None,
) -> None:
    """Search for the best values of recipe keys with Optuna; run again, it goes on where it was.

    Args:
        recipe: YAML file; what the space does not name stays as it is there
        space: YAML file of recipe keys and their ranges, see docs/scale.md
        trials: finished trials that are wanted, those of earlier runs included
        workers: processes on this machine; more may work on the same storage from others
        out: folder for trials, record, table and plot; runs/<name>/sweep if left out
        storage: URL of an Optuna storage, e.g. postgresql+psycopg://user@host/name; a SQLite file in out if left out
        objectives: what is optimised: accuracy (on validation data), energy, or both (the Pareto front); accuracy if left out
        price: number format of the energy
        memory: count access to memory as well
        prune: stop trials early that do worse than the median of the others (accuracy alone as objective)
        seed: of the search; the recipe's own seed is that of each training
        heartbeat: seconds between signs of life; the trial of a worker silent for three times as long is run again
        set: override a key of the recipe, for example --set train.epochs=3; may be repeated
    """
    if workers < 1:
        raise ConfigError(f"workers={workers}: pass 1 or more")
    plan = read_recipe(recipe, set)
    made = Sweep(
        plan, read_space(space, plan), Path(out or f"runs/{plan.name}/sweep"), storage, trials,
        tuple(objectives or ("accuracy",)), f"energy_{price}{'_sram' if memory else ''}_pj", seed, heartbeat, prune,
    )  # fmt: skip
    started = time.time()
    if workers == 1:
        work(made, told=lambda trial: console.print(_line(trial), highlight=False))
    elif lost := work_in(made, workers):
        console.print(f"workers {lost} were lost; the others have done their trials")
    with open_study(made) as study:
        record = record_of(study, made, time.time() - started)
    show(record, made)


def _line(trial: Any) -> str:
    values = ", ".join(f"{value:.5g}" for value in trial.values or [])
    drawn = ", ".join(f"{key} {value}" for key, value in trial.params.items())
    why = f" ({trial.user_attrs['error']})" if "error" in trial.user_attrs else ""
    return f"trial {trial.number}: {values or trial.state.name.lower()}{why}   {drawn}"


def show(record: Record, made: Sweep) -> None:
    """Print the front; write it as sweep.json, front.txt and front.png."""
    m = record.metrics
    wide = Console(width=max(110, console.width))
    table = rich_table(m["front"], columns(made), title=m["tables"][0]["title"])
    wide.print(table)
    text = io.StringIO()
    Console(width=160, file=text).print(table)
    write_atomic(made.folder / "front.txt", text.getvalue().encode())
    rows = [row for row in m["trials"] if row["state"] == "complete"]
    title = f"{made.recipe.name}: {len(rows)} trials"
    if len(made.objectives) > 1:
        save_png(pareto(rows, title), made.folder / "front.png")
    elif rows:
        only = made.objectives[0]
        save_png(trials_plot(rows, only, only == "accuracy", title), made.folder / "front.png")
    write_record(record, made.folder / "sweep.json")
    counts = ", ".join(
        f"{m[state]} {word}" for state, word in (("complete", "complete"), ("pruned", "pruned"), ("fail", "failed"))
    )
    console.print(f"trials: {counts} -> {made.folder}/sweep.json, front.txt, front.png")
