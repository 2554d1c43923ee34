"""Event frames as a network sees them: both polarities, and below each frame the spikes of every layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spikeseq.errors import ShapeError
from spikeseq.report.figure import COLOURS, blank

PANEL, BARS, GAP = 0.95, 0.95, 0.42  # inches of a row of pictures, of a row of bars, between rows


def frames_and_spikes(
    frames: np.ndarray, spikes: Mapping[str, np.ndarray], verdicts: Sequence[str], title: str = ""
) -> Figure:
    """Draw a column for each frame: the picture, the spikes of each layer, above it the verdict so far.

    frames    [L, C, H, W], C 1 or 2: brighter is red, darker blue, both black
    spikes    layer -> 0 or 1, [L, C, H, W]: the share of channels that spike at each place; [L, units]: of all units
    verdicts  L texts, what the network says after each frame
    Raises ShapeError where they do not fit.
    """
    fits = frames.ndim == 4 and frames.shape[1] in (1, 2) and len(verdicts) == len(frames)
    if not fits or any(s.ndim not in (2, 4) or len(s) != len(frames) for s in spikes.values()):
        shapes = {layer: s.shape for layer, s in spikes.items()}
        raise ShapeError(f"frames {frames.shape}, spikes {shapes}, {len(verdicts)} verdicts do not fit one L")
    heights = [PANEL, *(PANEL if s.ndim == 4 else BARS for s in spikes.values())]
    high = sum(heights) + GAP * (len(heights) + 1)
    figure = blank(height=high)[0]
    figure.clear()
    figure.set_layout_engine("none")  # names are wider than the pictures below them
    grid = figure.add_gridspec(
        len(heights), len(frames), height_ratios=heights, left=0.07, right=0.99, top=1 - 1.2 * GAP / high,
        bottom=0.6 * GAP / high, hspace=GAP / PANEL, wspace=0.08,
    )  # fmt: skip
    most = max(1.0, float(frames.max()))
    for n, frame in enumerate(frames):
        _picture(figure, grid[0, n], _coloured(frame / most)).set_title(f"says {verdicts[n]}", fontsize=9)
    for row, (layer, sent) in enumerate(spikes.items(), 1):
        name = f"{layer}: {int(sent.sum()):,} spikes of {sent[0].size:,} neurons"
        if sent.ndim == 2:
            _bars(figure.add_subplot(grid[row, :]), sent.mean(1), name, COLOURS[2])
            continue
        shares = sent.mean(1)
        for n, share in enumerate(shares):
            axis = _picture(figure, grid[row, n], share, cmap="Greys", vmin=0, vmax=max(shares.max(), 1e-9))
            if n == 0:
                axis.set_title(name, loc="left", fontsize=9)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure


def _picture(figure: Figure, place: Any, image: np.ndarray, **colours: Any) -> Any:
    axis = figure.add_subplot(place)
    axis.imshow(image, interpolation="nearest", **colours)
    axis.set(xticks=[], yticks=[])
    return axis


def _bars(axis: Any, share: np.ndarray, name: str, colour: str) -> None:
    axis.bar(np.arange(len(share)), share, color=colour, width=0.6)
    axis.set(xlim=(-0.5, len(share) - 0.5), xticks=[], ylabel="share", xlabel="time: frame after frame")
    axis.set_title(name, loc="left", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)


def _coloured(frame: np.ndarray) -> np.ndarray:
    """``[C, H, W]`` of 0 to 1 -> colours ``[H, W, 3]`` on white: the last channel red, the first of two blue."""
    strength = np.sqrt(frame)
    image = np.ones((*frame.shape[1:], 3))
    image[..., 1:] -= strength[-1][..., None]
    if len(frame) == 2:
        image[..., :2] -= strength[0][..., None]
    return image.clip(0, 1)
