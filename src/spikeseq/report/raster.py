"""Spike raster: which unit spikes when, with sign and size."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from spikeseq.errors import ShapeError
from spikeseq.report.figure import COLOURS, HEIGHT, WIDTH, blank

# sign -> colour, marker: told apart by hue, by lightness and by shape
SIGNS = {1: (COLOURS[0], "^"), -1: (COLOURS[1], "v")}
PACKET_AREA = 2.5  # area of a packet's marker, in markers of a unit spike


def raster(spikes: np.ndarray, title: str = "") -> Figure:
    """Draw one marker per spike of one sample.

    spikes     [L, T, H], whole numbers: 0 silent, +1 and -1 unit spikes, larger ones packets
    x          sequence element n, its T time steps side by side inside [n, n + 1)
    y          unit

    Raises:
        ShapeError: `spikes` is not [L, T, H], is empty, or holds anything but whole numbers.
    """
    spikes = _checked(spikes)
    seq_len, time_steps, hidden = spikes.shape
    figure, (axis,) = blank()
    area = _marker_area(seq_len * time_steps, hidden)
    for sign, (colour, marker) in SIGNS.items():
        element, step, unit = np.nonzero(sign * spikes > 0)
        if len(unit):
            sizes = np.where(np.abs(spikes[element, step, unit]) > 1, PACKET_AREA * area, area)
            axis.scatter(element + (step + 0.5) / time_steps, unit, s=sizes, c=colour, marker=marker, linewidths=0)
    _label(axis, spikes, title)
    return figure


def _checked(spikes: np.ndarray) -> np.ndarray:
    spikes = np.asarray(spikes)
    if spikes.ndim != 3 or not spikes.size:
        raise ShapeError(f"spikes has shape {spikes.shape}: give [L, T, H] of one sample, none of them 0")
    if spikes.dtype.kind not in "biuf" or not np.all(spikes == np.rint(spikes)):
        raise ShapeError(f"spikes ({spikes.dtype}) holds values that are no whole numbers: give spikes, not potentials")
    return spikes.astype(np.int64)


def _marker_area(steps: int, hidden: int) -> float:
    """Return the marker area in square points: as large as the grid of steps and units allows, within reason."""
    pitch = 72 * min(0.85 * WIDTH / steps, 0.75 * HEIGHT / hidden)
    return float(np.clip(0.8 * pitch, 2.0, 9.0) ** 2)


def _label(axis: Axes, spikes: np.ndarray, title: str) -> None:
    seq_len, time_steps, hidden = spikes.shape
    axis.set_xlim(0, seq_len)
    axis.set_ylim(-0.7, hidden - 0.3)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    steps = f"{time_steps} time step{'s' if time_steps > 1 else ''} in each"
    axis.set(xlabel=f"sequence element ({steps})", ylabel="unit")
    rate = np.count_nonzero(spikes) / spikes.size
    axis.set_title(f"{title}\n{np.count_nonzero(spikes):,} spikes, rate {rate:.3f}".strip(), loc="left", fontsize=11)
    handles = [
        _key("+1", 1, 7),
        _key("−1", -1, 7),  # noqa: RUF001  the typographic minus, as on the axes
        *([_key("packet, |spike| > 1", 1, 11)] if np.abs(spikes).max() > 1 else []),
    ]
    axis.figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)


def _key(label: str, sign: int, size: float) -> Line2D:
    colour, marker = SIGNS[sign]
    return Line2D([], [], linestyle="none", color=colour, marker=marker, markersize=size, label=label)
