"""How every picture looks: size, colours, markers; and how it becomes a PNG. No global state, no display."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spikeseq.report.atomic import write_atomic

WIDTH, HEIGHT, DPI = 9.0, 5.4, 100  # inches and dots per inch: 900 x 540 pixels
# Okabe & Ito (2008), "Color Universal Design": told apart with any colour vision; black is left to baselines
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ((0, (6, 2)), (0, (2, 2)), (0, (8, 2, 2, 2)), (0, (1, 1)))


def blank(columns: int = 1, height: float = HEIGHT) -> tuple[Figure, list[Axes]]:
    """Return a figure with `columns` axes side by side, thin grid, no frame at the top and right."""
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, columns, index + 1) for index in range(columns)]
    for axis in axes:
        axis.grid(True, color="#dddddd", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def line_style(index: int) -> dict[str, Any]:
    """Return colour and marker of the line at `index`: 42 lines before a pair repeats."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)], "linewidth": 1.8}


def png_bytes(figure: Figure) -> bytes:
    """Render the figure; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def save_png(figure: Figure, path: str | Path) -> Path:
    """Write the figure as PNG, whole or not at all; raises OSError when the disk refuses."""
    return write_atomic(path, png_bytes(figure))
