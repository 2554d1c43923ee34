"""Sections of a comparison that need records only: tables with mean and spread, accuracy against energy, training curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.figure import Figure

from spikeseq.errors import ConfigError, DataError
from spikeseq.report.columns import Column
from spikeseq.report.curves import compared_curves
from spikeseq.report.energy_plots import frontier
from spikeseq.report.frontier import points
from spikeseq.report.page import Picture, Section, Table, Text
from spikeseq.report.record import Record
from spikeseq.report.results import METRICS, result_tables
from spikeseq.report.sources import origins
from spikeseq.report.summary import groups, summarise

FRONTIERS = (("int32", False), ("int32", True), ("fp32", False))  # number format, with access to memory


def results(records: Sequence[Record]) -> list[Section]:
    """Mean ± sample standard deviation over the seeds of each model of one data set, and what a conversion alone leaves."""
    columns = [Column("model"), Column("time_steps", "T"), Column("n", "seeds"), *METRICS, *_further(records)]
    rows = [row for row in summarise(records, [c.key for c in columns[3:]]) if any(row[c.key] for c in columns[3:])]
    filled = [c for c in columns if any(row[c.key] is not None for row in rows)]
    note = "Mean ± sample standard deviation over the seeds; (n = ..) where not every seed has the number; - : not measured."
    sections: list[Section] = [Table(rows, filled, note)] if rows else [Text("No record here has a figure of a test.")]
    for _, _, (after, after_columns) in result_tables(records):
        caption = "Test accuracy after conversion, without further training."
        sections += [Table(after, after_columns, caption)] if after else []
    return sections


def accuracy_energy(records: Sequence[Record], name: str) -> list[Section]:
    """The frontier in each format, or a sentence why there is none."""
    sections: list[Section] = []
    for form, memory in FRONTIERS:
        how = f"{form}, {'with access to memory' if memory else 'arithmetic only'}"
        caption = f"{name}: accuracy against energy for each sequence element, {how}; up and to the left is better."

        def draw(form: str = form, memory: bool = memory, how: str = how) -> Figure:
            return frontier(points(records, form, memory), f"{name}, {how}")

        sections.append(picture(draw, caption, f"No frontier for {how}"))
    if all(isinstance(section, Text) for section in sections):
        why = "no record of this data set has both a test accuracy and an energy (energy_int32_pj, ..): train or evaluate it"
        return [Text(f"No frontier: {why} with this version.")]
    return sections


def curves(records: Sequence[Record], name: str) -> list[Section]:
    """Training loss and validation figure of all runs, or a sentence why there are none."""
    histories = {
        label.partition("/")[2] or label: found
        for (label, kind), runs in groups(records).items()
        if kind == "train" and (found := [run.metrics["history"] for run in runs if run.metrics.get("history")])
    }
    caption = f"{name}: training loss and validation figure over the epochs; one line for each seed."
    return [
        picture(
            lambda: compared_curves(histories), caption, "No training curves", "no record holds a history of epochs"
        )
    ]


def sources(records: Sequence[Record]) -> list[Section]:
    """Where the numbers come from: seeds, configuration, commit, environment and command of each row."""
    rows, environments = origins(records)
    columns = ["record", "kind", "seeds", "configuration", "commit", "environment"]
    listed = [f"E{number}: {line}" for number, line in enumerate(environments, start=1)]
    commands = [{"record": name, "command": runs[0].command} for (name, _), runs in groups(records).items()]
    sections: list[Section] = [Table(rows, columns, "Records behind this page."), Text("\n".join(listed))]
    made = [row for row in commands if row["command"]]
    return [*sections, Table(made, ["record", "command"], "Commands, of one seed each.")] if made else sections


def picture(draw: Callable[[], Figure], caption: str, missing: str, why: str = "") -> Section:
    """The picture, or the sentence that says why it cannot be drawn."""
    try:
        return Picture(draw(), caption)
    except (ConfigError, DataError) as error:
        return Text(f"{missing}: {why or error}.")


def _further(records: Sequence[Record]) -> list[Column]:
    """Columns of figures of tests that the results page has no column for."""
    known = {column.key for column in METRICS}
    keys: dict[str, Any] = dict.fromkeys(
        key
        for record in records
        for key, value in record.metrics.items()
        if key.startswith("test_") and key not in known and isinstance(value, int | float)
    )
    return [Column(k, k.replace("_", " "), digits=4 if k.endswith("accuracy") else 2) for k in keys]
