"""A text as a network reads it: spikes of its neurons along the words, and the verdict so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from spikeseq.errors import ShapeError
from spikeseq.report.figure import COLOURS, blank

NAMED = 60  # words up to which each is written below the axis
VERDICT, LAYER = 1.5, 1.9  # inches of the panels


def review(words: Sequence[str], probability: np.ndarray, spikes: Mapping[str, np.ndarray], name: str) -> Figure:
    """Draw the probability of class ``name`` after each word, and below it a raster for each layer.

    words        L words
    probability  [L] in 0 .. 1
    spikes       layer -> [L, H], 0 or 1
    Raises ShapeError where they do not fit.
    """
    shapes = {layer: s.shape for layer, s in spikes.items()}
    if (
        not len(words)
        or probability.shape != (len(words),)
        or any(len(s) != 2 or s[0] != len(words) for s in shapes.values())
    ):
        raise ShapeError(
            f"{len(words)} words, probabilities {probability.shape}, spikes {shapes}: pass L, [L] and [L, H] each"
        )
    heights = [VERDICT, *(LAYER for _ in spikes)]
    figure = blank(height=sum(heights) + 1.1)[0]
    figure.clear()
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    places = np.arange(len(words)) + 0.5
    axes[0].axhline(0.5, color="#888888", linewidth=0.8)
    axes[0].plot(places, probability, color=COLOURS[0], linewidth=1.8)
    axes[0].set(ylim=(0, 1), ylabel=f"P({name})")
    axes[0].set_title(f"verdict: {name}, {probability[-1]:.2f}", loc="left", fontsize=11)
    for axis, (layer, sent), colour in zip(axes[1:], spikes.items(), COLOURS[1:], strict=False):
        element, unit = np.nonzero(sent)
        axis.scatter(element + 0.5, unit, s=3, c=colour, marker="|", linewidths=1)
        axis.set(ylabel="neuron", ylim=(-1, sent.shape[1]))
        axis.set_title(f"layer {layer}: {sent.mean():.3f} spikes for each neuron and word", loc="left", fontsize=9)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlim(0, len(words))
    if len(words) <= NAMED:
        axes[-1].set_xticks(places, list(words), rotation=90, fontsize=8)
    else:
        axes[-1].set_xlabel("word")
    return figure
