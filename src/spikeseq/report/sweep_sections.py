"""What a sweep found, as sections of a page: its front, or its best trials, as table and picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from spikeseq.errors import DataError
from spikeseq.report.bench import columns_and_rows
from spikeseq.report.comparison import picture
from spikeseq.report.page import Heading, Section, Table, Text
from spikeseq.report.record import Record
from spikeseq.report.sweep_plots import pareto, trials


def is_sweep(record: Record) -> bool:
    """Whether ``spikeseq sweep`` wrote the record."""
    return record.kind == "bench" and "sweep" in record.config and "front" in record.metrics


def sweeps(records: Sequence[Record]) -> list[Section]:
    """A heading, the table and the picture of each. Raises DataError for a record that lacks what a sweep writes."""
    found: list[Section] = []
    for record in records:
        try:
            found += _sweep(record)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError(
                f"record {record.name}: it holds no whole sweep ({error!r}): run the sweep again"
            ) from error
    return found


def _sweep(record: Record) -> list[Section]:
    m: Any = record.metrics
    plan: Any = record.config["sweep"]
    (table,) = m["tables"]
    columns, rows = columns_and_rows(record, table)
    done = [row for row in m["trials"] if row["state"] == "complete"]
    objectives = list(plan["objectives"])

    def draw() -> Figure:
        if len(objectives) > 1:
            return pareto(done, record.name)
        return trials(done, objectives[0], objectives[0] == "accuracy", record.name)

    counts = f"{m['complete']} trials complete, {m['pruned']} pruned, {m['fail']} failed."
    what = "validation accuracy and energy" if len(objectives) > 1 else objectives[0]
    return [
        Heading(f"Sweep {record.name}"), Text(f"{counts} Searched: {', '.join(plan['space'])}."),
        Table(rows, columns, f"{table['title']}: by {what}."),
        picture(draw, f"{record.name}: {what} of each finished trial.", "No picture of the trials"),
    ]  # fmt: skip
