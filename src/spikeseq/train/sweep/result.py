"""What a sweep has found: its trials as rows, the Pareto front, and the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from spikeseq.report.bench import table_of
from spikeseq.report.columns import Column
from spikeseq.report.record import Record, new_record
from spikeseq.train.sweep.study import Sweep, optuna

BEST = 10  # rows of the table where there is one objective


def trial_rows(study: Any, sweep: Sweep) -> list[dict[str, Any]]:
    """One row for each trial: number, state, objectives, values, why it failed."""
    complete = optuna().trial.TrialState.COMPLETE
    rows = []
    for trial in study.get_trials(deepcopy=False):
        row: dict[str, Any] = {"number": trial.number, "state": trial.state.name.lower()}
        if trial.state == complete:
            row |= dict(zip(sweep.objectives, trial.values, strict=True))
        row["params"] = dict(trial.params)
        if "folder" in trial.user_attrs:  # not where it failed before its training
            row["folder"] = f"trials/{Path(trial.user_attrs['folder']).name}"
        rows.append(row | ({"error": trial.user_attrs["error"]} if "error" in trial.user_attrs else {}))
    return rows


def front(rows: list[dict[str, Any]], sweep: Sweep) -> list[dict[str, Any]]:
    """Trials that none beats in all objectives, by falling accuracy; with one objective the best ten."""
    signs = {"accuracy": 1, "energy": -1}
    scored = [
        (tuple(signs[name] * row[name] for name in sweep.objectives), row) for row in rows if row["state"] == "complete"
    ]
    scored.sort(key=lambda pair: pair[0], reverse=True)
    if len(sweep.objectives) == 1:
        return [row for _, row in scored[:BEST]]
    seen: set[tuple[float, ...]] = set()
    kept = []
    for values, row in scored:
        beaten = any(other != values and all(o >= v for o, v in zip(other, values, strict=True)) for other, _ in scored)
        if not beaten and values not in seen:
            kept.append(row)
        seen.add(values)
    return kept


def columns(sweep: Sweep) -> list[Column]:
    """Of the front's table."""
    shown = {
        "accuracy": Column("accuracy", "validation [%]", scale=100),
        "energy": Column("energy", "energy [pJ]", digits=0),
    }
    values = [Column(key, key, digits=5) for key in sweep.space]
    return [Column("number", "trial", digits=0), *(shown[name] for name in sweep.objectives), *values]


def flat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with their values beside the rest."""
    return [{**row, **row["params"]} for row in rows]


def record_of(study: Any, sweep: Sweep, seconds: float) -> Record:
    """The record of the sweep as it is now."""
    rows = trial_rows(study, sweep)
    best, states = front(rows, sweep), [row["state"] for row in rows]
    title = f"{'Pareto front' if len(sweep.objectives) > 1 else 'best'} of {states.count('complete')} trials"
    metrics = {
        "trials": rows, "front": flat(best), "tables": [table_of("front", columns(sweep), title)],
        "finished": states.count("complete") + states.count("pruned"),
        **{state: states.count(state) for state in ("complete", "pruned", "fail")},
    }  # fmt: skip
    space = {key: vars(own) for key, own in sweep.space.items()}
    plan = {"space": space, "objectives": list(sweep.objectives), "price": sweep.price, "trials": sweep.trials}
    return new_record(
        "bench", f"{sweep.recipe.name}_sweep", config={**sweep.recipe.to_dict(), "sweep": plan}, seed=sweep.seed,
        metrics=metrics, seconds=seconds, threads=torch.get_num_threads(),
    )  # fmt: skip
