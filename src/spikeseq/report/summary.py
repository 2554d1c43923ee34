"""Mean and standard deviation over the seeds of a run."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from spikeseq.errors import DataError
from spikeseq.report.record import Record


class Spread(NamedTuple):
    """A number over several runs."""

    mean: float
    std: float | None  # sample standard deviation, divisor n - 1; None for a single run
    n: int  # runs that have the number
    of: int  # runs in the group


def spread(values: Sequence[float], of: int | None = None) -> Spread:
    """Return mean and sample standard deviation of at least one value, out of a group of `of` runs."""
    std = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.fmean(values), std, len(values), len(values) if of is None else of)


def groups(records: Iterable[Record]) -> dict[tuple[str, str], list[Record]]:
    """Group records that differ in the seed only: (name, kind) -> runs, names in natural order (t2 before t16).

    Raises:
        DataError: two runs of a group share a seed; counted as two, n and the deviation would be wrong.
    """
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        found.setdefault((record.name, record.kind), []).append(record)
    for (name, kind), runs in found.items():
        seeds = [run.seed for run in runs if run.seed is not None]
        if len(set(seeds)) < len(seeds):
            raise DataError(f"{kind} {name} has several records of one seed (seeds {sorted(seeds)}): keep one of each")
    return dict(sorted(found.items(), key=lambda item: (natural(item[0][0]), item[0][1])))


def summarise(records: Iterable[Record], metric_keys: Sequence[str]) -> list[dict[str, Any]]:
    """Make one row per (name, kind): name, kind, data, model, time_steps, n, and a Spread for each metric.

    A metric that no run has is None. Text is kept where all runs agree.

    Raises:
        DataError: a metric is neither a number in all runs nor equal in all, or two runs share a seed.
    """
    rows = []
    for (name, kind), runs in groups(records).items():
        row = {"name": name, "kind": kind, "n": len(runs), "data": data_name(runs[0]), "model": _model_label(runs[0])}
        row["time_steps"] = _time_steps(runs)
        rows.append(row | {key: _combined(runs, key) for key in metric_keys})
    return rows


def data_name(record: Record) -> str:
    """Return the data set as it was read ("mnist_rows"): the record's name before the slash, else `config.data.name`."""
    prefix, slash, _ = record.name.partition("/")
    return prefix if slash else str(_setting(record, "data", "name") or prefix)


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sort key that orders numbers inside text by value."""
    parts = re.split(r"(\d+)", text)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _combined(runs: Sequence[Record], key: str) -> Any:
    values = [run.metrics[key] for run in runs if run.metrics.get(key) is not None]
    if not values:
        return None
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return spread(values, of=len(runs))
    if all(value == values[0] for value in values):
        return values[0]
    raise DataError(f"metric {key!r} of {runs[0].name} has no mean over seeds: {values}")


def _model_label(record: Record) -> str:
    label = record.name.partition("/")[2] or record.name
    return label if record.kind == "train" else f"{label} ({record.kind})"


def _time_steps(runs: Sequence[Record]) -> int | str | None:
    found = sorted({steps for run in runs if isinstance(steps := _setting(run, "model", "time_steps"), int)})
    return found[0] if len(found) == 1 else " / ".join(map(str, found)) or None


def _setting(record: Record, section: str, key: str) -> Any:
    settings = record.config.get(section)
    if not isinstance(settings, dict):
        return None
    options = settings.get("options")  # time_steps is an option of the layer
    return settings.get(key, options.get(key) if isinstance(options, dict) else None)
