"""Gantt chart: which (layer, time step) works on which sequence element in which cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spikeseq.errors import ConfigError
from spikeseq.report.figure import COLOURS, blank

NUMBERED = 60  # cycles up to which the elements' numbers can be read
ROW, PANEL = 0.26, 3.4  # inches: of a row where there is room, at most of a panel
LABELS = 24  # at most, of a panel


def gantt(panels: Mapping[str, Mapping[str, Sequence[int]]]) -> Figure:
    """Draw a cell for each row and cycle, coloured and numbered by its element; panels share the axis of cycles.

    panels  title -> row's label -> the element that the row works on in each cycle, from 1; 0: idle
    Raises ConfigError when there is nothing to draw or rows of a panel differ in length.
    """
    tables = {title: _table(title, rows) for title, rows in panels.items()}
    if not tables:
        raise ConfigError("gantt got no panels: give at least one schedule")
    cycles = max(table.shape[1] for table in tables.values())
    heights = [min(PANEL, ROW * len(table)) for table in tables.values()]
    figure = blank(height=sum(heights) + 0.6 * len(heights) + 0.4)[0]
    figure.clear()
    axes = figure.subplots(len(tables), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (title, table) in zip(axes, tables.items(), strict=True):
        _draw(axis, table, list(panels[title]))
        axis.set_title(title, loc="left", fontsize=10)
        if cycles <= NUMBERED and len(table) <= LABELS:
            for row, cycle in np.argwhere(table > 0):
                axis.text(cycle + 1, row, str(table[row, cycle]), ha="center", va="center", fontsize=7)
    axes[-1].set_xlim(0.5, cycles + 0.5)
    axes[-1].set_xlabel("cycle (one node each); colour and number: sequence element")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _table(title: str, rows: Mapping[str, Sequence[int]]) -> np.ndarray:
    lengths = {len(row) for row in rows.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ConfigError(f"panel {title!r} has rows of {sorted(lengths)} cycles: give rows of one length, 1 or more")
    return np.array(list(rows.values()), dtype=np.int64)


def _draw(axis: Axes, table: np.ndarray, labels: Sequence[str]) -> None:
    """Cells of one panel; neighbours in time differ in colour, idle ones stay blank."""
    rows, cycles = table.shape
    colours = np.ma.masked_array((table - 1) % len(COLOURS), mask=table == 0)
    axis.imshow(
        colours, aspect="auto", interpolation="nearest", cmap=ListedColormap(COLOURS), vmin=0, vmax=len(COLOURS) - 1,
        extent=(0.5, cycles + 0.5, rows - 0.5, -0.5),
    )  # fmt: skip
    labelled = range(0, rows, -(-rows // LABELS))
    axis.set_yticks(labelled, [labels[row] for row in labelled], fontsize=8)
    axis.grid(False)
    axis.spines[["top", "right"]].set_visible(False)
