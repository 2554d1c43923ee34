"""Accuracy of a trained network converted without further training: T across, with and without the shift down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from spikeseq.errors import DataError
from spikeseq.report.columns import Column
from spikeseq.report.record import Record
from spikeseq.report.summary import groups, spread


def post_hoc_table(records: Iterable[Record]) -> tuple[list[dict[str, Any]], list[Column]]:
    """Collect `metrics["post_hoc"]`: a list of {time_steps, shift: bool, accuracy, variant: text, if any}.

    Returns rows (model, conversion, one Spread per T) and their columns; no rows where no record has it.

    Raises:
        DataError: an entry lacks a key, or a run has two entries for one T, shift and variant.
    """
    rows: list[dict[str, Any]] = []
    all_steps: set[int] = set()
    for (name, _), runs in groups(records).items():
        for label, accuracies in _by_conversion(runs).items():
            row: dict[str, Any] = {"model": name.partition("/")[2] or name, "conversion": label}
            rows.append(row | {f"T={steps}": spread(values, len(runs)) for steps, values in accuracies.items()})
            all_steps.update(accuracies)
    steps_columns = [Column(f"T={steps}", f"T = {steps}, %", scale=100, show_n=True) for steps in sorted(all_steps)]
    return rows, [Column("model"), Column("conversion"), *steps_columns]


def _by_conversion(runs: Sequence[Record]) -> dict[str, dict[int, list[float]]]:
    """Collect label -> T -> accuracy of each run; with the shift first."""
    found: dict[str, dict[int, list[float]]] = {}
    for run in runs:
        seen = set()
        for entry in sorted(_entries(run), key=lambda entry: (entry.get("variant", ""), not entry["shift"])):
            label = ", ".join(filter(None, ["with shift" if entry["shift"] else "without shift", entry.get("variant")]))
            if (label, entry["time_steps"]) in seen:
                raise DataError(f"post_hoc of {run.name}, seed {run.seed}, has two entries for {label}, {entry}")
            seen.add((label, entry["time_steps"]))
            found.setdefault(label, {}).setdefault(entry["time_steps"], []).append(entry["accuracy"])
    return found


def _entries(run: Record) -> list[dict[str, Any]]:
    entries = run.metrics.get("post_hoc", [])
    for entry in entries:
        missing = {"time_steps", "shift", "accuracy"} - set(entry if isinstance(entry, dict) else ())
        if missing:
            raise DataError(f"post_hoc of {run.name}, seed {run.seed}, lacks {sorted(missing)} in {entry}")
    return entries
