"""Attention map: which words of the source each word of the translation was written from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from spikeseq.errors import ShapeError
from spikeseq.report.figure import WIDTH, blank


def attention_map(weights: np.ndarray, source: Sequence[str], target: Sequence[str], title: str = "") -> Figure:
    """Draw weights ``[L, S]`` from 0 (white) to the largest (dark), source tokens across, target tokens downwards.

    Raises ShapeError unless there is a weight for each pair of tokens.
    """
    weights = np.asarray(weights, np.float64)
    if weights.shape != (len(target), len(source)) or not weights.size or not np.isfinite(weights).all():
        raise ShapeError(
            f"weights has shape {weights.shape}: pass numbers [{len(target)}, {len(source)}], one for each pair of tokens"
        )
    figure, (axis,) = blank(height=max(3.0, min(12.0, 1.6 + 0.62 * WIDTH * len(target) / len(source))))
    axis.grid(False)
    image = axis.imshow(weights, cmap="Blues", vmin=0.0, vmax=max(float(weights.max()), 1e-9), aspect="auto")
    axis.set_xticks(range(len(source)), list(source), rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(target)), list(target))
    axis.set(xlabel="source", ylabel="translation")
    axis.set_title(title, loc="left", fontsize=11)
    figure.colorbar(image, ax=axis, label="weight, mean over layers")
    return figure
