"""Event frames as a network sees them: both polarities, and below each frame the spikes of every layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from spikeseq.errors import ShapeError
from spikeseq.report.figure import COLOURS, blank

PANEL = 1.0  # inches of a frame
BARS = 1.2  # inches of a layer's panel


def frames_and_spikes(
    frames: np.ndarray, spikes: Mapping[str, np.ndarray], verdicts: Sequence[str], title: str = ""
) -> Figure:
    """Draw a column for each frame: the picture, the share of neurons of each layer that spike, the verdict so far.

    frames    [L, C, H, W], C 1 or 2: brighter is red, darker blue
    spikes    layer -> [L, units], 0 or 1
    verdicts  L texts, what the network says after each frame
    Raises ShapeError where they do not fit.
    """
    fits = frames.ndim == 4 and frames.shape[1] in (1, 2) and len(verdicts) == len(frames)
    if not fits or any(s.ndim != 2 or len(s) != len(frames) for s in spikes.values()):
        shapes = {layer: s.shape for layer, s in spikes.items()}
        raise ShapeError(f"frames {frames.shape}, spikes {shapes}, {len(verdicts)} verdicts do not fit one L")
    length = len(frames)
    figure = blank(height=PANEL * 1.3 + BARS * len(spikes) + 0.7)[0]
    figure.clear()
    grid = figure.add_gridspec(1 + len(spikes), length, height_ratios=[PANEL * 1.3, *(BARS for _ in spikes)])
    most = max(1.0, float(frames.max()))
    for n, frame in enumerate(frames):
        axis = figure.add_subplot(grid[0, n])
        axis.imshow(_coloured(frame / most), interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.set_title(verdicts[n], fontsize=10)
    for row, (layer, sent) in enumerate(spikes.items(), 1):
        axis = figure.add_subplot(grid[row, :])
        axis.bar(np.arange(length), sent.mean(1), color=COLOURS[row % len(COLOURS)], width=0.6)
        axis.set(xlim=(-0.5, length - 0.5), xticks=range(length), ylabel="share")
        axis.set_title(f"{layer}: {int(sent.sum()):,} spikes of {sent.shape[1]:,} neurons", loc="left", fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _coloured(frame: np.ndarray) -> np.ndarray:
    """``[C, H, W]`` of 0 to 1 -> colours ``[H, W, 3]`` on white: the last channel red, the first of two blue."""
    strength = np.sqrt(frame)
    image = np.ones((*frame.shape[1:], 3))
    image[..., 1:] -= strength[-1][..., None]
    if len(frame) == 2:
        image[..., :2] -= strength[0][..., None]
    return image.clip(0, 1)
