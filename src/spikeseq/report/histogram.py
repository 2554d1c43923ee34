"""Histograms of learned parameters: thresholds, leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spikeseq.errors import ConfigError
from spikeseq.report.figure import COLOURS, blank

BINS = 24
DASHES = ("solid", (0, (5, 2)), (0, (1, 1)))
LINE_STYLES = [(colour, dashes) for dashes in DASHES for colour in COLOURS]  # 18 outlines before a pair repeats


def histograms(panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw the share of the values in each of BINS bins as an outline for each label; a panel for each title.

    panels  title (the axis' name and unit) -> label -> values, any shape
    Raises ConfigError when there is nothing to draw or a label has no value.
    """
    values = {t: {k: np.ravel(np.asarray(v, float)) for k, v in series.items()} for t, series in panels.items()}
    if not values or not all(s and all(v.size for v in s.values()) for s in values.values()):
        raise ConfigError("histograms got no panels, or a label without values: leave it out")
    figure, axes = blank(columns=len(values), height=4.5)
    for axis, (title, series) in zip(axes, values.items(), strict=True):
        _draw(axis, series)
        axis.set(xlabel=title, ylabel="share of the values")
        axis.legend(
            frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=1 if len(series) <= 6 else 2
        )
    return figure


def _draw(axis: Axes, series: Mapping[str, np.ndarray]) -> None:
    low, high = min(v.min() for v in series.values()), max(v.max() for v in series.values())
    if high - low < 1e-6 * max(1.0, abs(high)):  # all equal, never trained: one bin in the middle of its axis
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    for place, (label, values) in enumerate(series.items()):
        colour, dashes = LINE_STYLES[place % len(LINE_STYLES)]
        shares = np.histogram(values, edges)[0] / values.size
        text = f"{label} ({values.size:,}, mean {values.mean():.3g})"
        axis.stairs(shares, edges, color=colour, linestyle=dashes, linewidth=1.8, label=text)
    axis.set_ylim(bottom=0)
