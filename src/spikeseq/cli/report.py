"""``spikeseq report``: runs beside each other on one HTML page that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console

from spikeseq.cli.latency import DRAWN, ORDERS
from spikeseq.cli.model_look import Look, look
from spikeseq.errors import ConfigError
from spikeseq.ops.schedule import Schedule
from spikeseq.report import comparison
from spikeseq.report.collect import Run, collect, tell_apart
from spikeseq.report.gantt import gantt
from spikeseq.report.histogram import histograms
from spikeseq.report.operations import COLUMNS, operation_bars, operation_rows
from spikeseq.report.page import Heading, Picture, Section, Table, Text, write_page
from spikeseq.report.plots import raster
from spikeseq.report.summary import data_name, natural
from spikeseq.report.sweep_sections import is_sweep, sweeps

console = Console(soft_wrap=True, markup=False, highlight=False)
PIPELINED = ("quantized_lstm", "spiking_lstm", "stream_lstm")  # cells with time steps that overlap


def report(runs: list[str], out: str = "runs/report.html", sequences: int = 4) -> None:
    """Compare runs on one HTML page: tables, frontier, curves, operations, spikes, thresholds, schedules, sweeps.

    Args:
        runs: folders of runs, records (*.json), or folders with any number of either
        out: the page; pictures are inside
        sequences: validation sequences that each model file is looked at with; 0: read no data
    """
    if sequences < 0:
        raise ConfigError(f"sequences={sequences}: pass 1 or more, or 0 to read no data")
    found = tell_apart(collect(runs))
    sections: list[Section] = [Text(f"{len(found)} records from {', '.join(map(str, runs))}.")]
    kept = [run for run in found if run.record.kind not in ("bench", "demo")]
    searches = [run.record for run in found if is_sweep(run.record)]
    sections += sweeps(searches)
    if len(kept) + len(searches) < len(found):
        sections.append(
            Text("Left out: benchmarks (docs/results.md shows them) and demos (they have a page of their own).")
        )
    for name in sorted({data_name(run.record) for run in kept}, key=natural):
        sections += _data_set(name, [run for run in kept if data_name(run.record) == name], sequences)
    if kept:
        sections += [Heading("Where the numbers come from"), *comparison.sources([run.record for run in kept])]
    write_page(out, "spikeseq report", sections)
    pictures = sum(isinstance(section, Picture) for section in sections)
    console.print(f"written: {out}, {len(found)} records, {pictures} figures")


def _data_set(name: str, runs: Sequence[Run], sequences: int) -> list[Section]:
    """All sections of one data set."""
    records = [run.record for run in runs]
    looks = {_label(run): look(run.model, _label(run), sequences) for run in _first_seeds(runs) if run.model}
    return [
        Heading(name), Heading("Results", 3), *comparison.results(records),
        Heading("Accuracy and energy", 3), *comparison.accuracy_energy(records, name),
        Heading("Training curves", 3), *comparison.curves(records, name),
        Heading("Operations of each layer", 3), *_operations(name, runs, looks),
        Heading("Spikes", 3), *_spikes(name, looks),
        Heading("Thresholds and leaks", 3), *_ranges(name, looks),
        Heading("Schedule", 3), *_schedules(name, runs),
    ]  # fmt: skip


def _first_seeds(runs: Sequence[Run]) -> list[Run]:
    """One run of each name that has a model file, the one of the lowest seed: its layers stand for all."""
    ordered = sorted(
        (run for run in runs if run.model), key=lambda run: (natural(run.record.name), run.record.seed or 0)
    )
    return list({run.record.name: run for run in reversed(ordered)}.values())[::-1]


def _label(run: Run) -> str:
    return run.record.name.partition("/")[2] or run.record.name


def _operations(name: str, runs: Sequence[Run], looks: dict[str, Look]) -> list[Section]:
    """Counted now from model files; where there are none, from the records of ``spikeseq energy``."""
    rows = [row for found in looks.values() for row in found.operations]
    for run in runs:
        counts: Any = run.record.metrics.get("counts", {})
        label = _label(run).removesuffix("_energy")
        if "spiking" in counts and not any(row["model"] == label for row in rows):
            rows += operation_rows(label, counts["spiking"])
    sections: list[Section] = _reasons("operations", looks)
    if not rows:
        why = "no model file lies beside the records (model.pt), and no record of spikeseq energy was given"
        return sections or [Text(f"No operations of each layer: {why}.")]
    caption = f"{name}: multiplications (MACs) and additions (ACs) of each layer for each sequence element."
    table = Table(rows, COLUMNS, "Operations for each sequence element, counted from real values.")
    return [table, comparison.picture(lambda: operation_bars(rows), caption, "No picture of them"), *sections]


def _spikes(name: str, looks: dict[str, Look]) -> list[Section]:
    sections: list[Section] = []
    for label, found in looks.items():
        for layer, spikes in found.spikes.items():
            caption = f"{name}, {label}, {layer}: spikes of one validation sequence ({'; '.join(_extent(spikes))})."
            sections.append(Picture(raster(spikes, f"{label}, {layer}"), caption))
    sections += _reasons("spikes", looks)
    return sections or [Text("No spikes: no model file (model.pt) lies beside the records.")]


def _extent(spikes: np.ndarray) -> list[str]:
    elements, steps, units = spikes.shape
    return [f"{elements} elements", f"T = {steps}", f"{units} units", "packets are drawn larger"]


def _ranges(name: str, looks: dict[str, Look]) -> list[Section]:
    sections: list[Section] = []
    for label, found in looks.items():
        panels = {"threshold (in units of the current)": found.thresholds, "leak (factor for each step)": found.leaks}
        panels = {title: series for title, series in panels.items() if series}
        if panels:
            caption = (
                f"{name}, {label}: {' and '.join(title.partition(' ')[0] + 's' for title in panels)}, of one seed."
            )
            sections.append(Picture(histograms(panels), caption))
    sections += _reasons("ranges", looks)
    return sections or [Text("No thresholds and leaks: no model file (model.pt) lies beside the records.")]


def _reasons(figure: str, looks: dict[str, Look]) -> list[Section]:
    """A sentence for each reason that a figure is missing, with the models that it is the reason of."""
    why: dict[str, list[str]] = {}
    for label, found in looks.items():
        if figure in found.missing:
            why.setdefault(found.missing[figure], []).append(label)
    return [Text(f"Left out for {', '.join(labels)}: {reason}.") for reason, labels in why.items()]


def _schedules(name: str, runs: Sequence[Run]) -> list[Section]:
    """One chart for each T and number of layers that the records' networks have."""
    models = [run.record.config.get("model", {}) for run in runs]
    sizes = {
        (model["options"]["time_steps"], model["num_layers"])
        for model in models
        if model.get("cell") in PIPELINED
        and not model.get("bidirectional")
        and "time_steps" in model.get("options", {})
    }
    if not sizes:
        return [Text("No schedule: no network here has time steps that could overlap.")]
    return [_schedule(name, *size) for size in sorted(sizes)]


def _schedule(name: str, time_steps: int, layers: int) -> Section:
    def draw() -> Figure:
        return gantt({ORDERS[order]: Schedule(DRAWN, time_steps, layers, order).rows() for order in ORDERS})

    caption = (
        f"{name}: when each layer and time step runs, first {DRAWN} elements, T = {time_steps}, layers = {layers}."
    )
    return comparison.picture(draw, caption, "No schedule")
