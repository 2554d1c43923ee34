r"""Integer constants of a layer's cells and neurons, for channels in units of ``2^-s_j`` (int8.py).

Gates of a grid, and of levels, compare sums with::

    A_k T / t >= ceil(V_k (k - shift - T / 2) 2^s_j),  k = 1 .. T          equal to K_k >= k (docs/equations.md); levels: t = 1

Gates of streams and LIF layers are neurons in units of ``2^-(s_j + e_j)``, with e_j up to 12 extra bits for what a leak
divides. A leak is rounded to a multiple of 2^-8 (streams: few time steps) or 2^-16 (LIF: a membrane that is carried on) and
taken as shifted additions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from spikeseq.runtime.arrays import LayerArrays, Settings, thresholds

FRACTION, MOST_EXTRA = 16, 12  # bits of c behind the point; e_j
LEAK_UNITS = 1 << 16
COMPARED = ("grid", "levels")  # kinds whose gates compare sums with levels
LEAK_STEP = {"streams": 1 << 8, "lif": 1}  # of those units
LARGEST_LEVEL, LARGEST_NEURON, LARGEST_CARRIED = (
    1 << 30,
    1 << 28,
    1 << 27,
)  # the last: what is added to a carried membrane


class _Neurons(NamedTuple):
    """Neurons [3, H] or [H] in their own units."""

    threshold: np.ndarray
    offset: np.ndarray | None  # streams: V / 2 + d*
    fits: np.ndarray  # whether no sum of theirs overflows


def constants(layer: LayerArrays, s: np.ndarray, current: np.ndarray, settings: Settings) -> dict[str, Any]:
    """Fields of Int8Arrays beside the weights; ``current [G]`` is what a time step adds at most, in units of 2^-s_j."""
    if settings.kind in COMPARED:
        return {"levels": _levels(layer, s, settings)}
    gates = _gates(s, settings)
    extra = np.full(gates.shape, MOST_EXTRA)
    while not (neurons := _neurons(layer, s, current, extra, settings)).fits.all():
        extra = extra - ~neurons.fits
    made = {"threshold": neurons.threshold.astype(np.int32), "extra": extra.astype(np.uint8)}
    if neurons.offset is not None:
        made["offset"] = neurons.offset.astype(np.int32)
    if layer.leak is not None:
        step = LEAK_STEP[settings.kind]
        made["leak"] = (np.round(layer.leak.astype(np.float64) * (LEAK_UNITS // step)) * step).astype(np.uint32)
    return made


def neurons_overflow(layer: LayerArrays, s: np.ndarray, current: np.ndarray, settings: Settings) -> np.ndarray:
    """Channels [G] whose neurons do not fit even without extra bits."""
    over = np.zeros(s.shape, bool)
    if settings.kind in COMPARED:
        return over
    extra = np.zeros(_gates(s, settings).shape, int)
    fits = _neurons(layer, s, current, extra, settings).fits
    if settings.kind == "lif":
        return ~fits
    over.reshape(4, -1)[[0, 1, 3]] = ~fits
    return over


def _gates(values: np.ndarray, settings: Settings) -> np.ndarray:
    """Channels [G] -> those of neurons and gates: i, f, o [3, H], all of LIF [H], z of levels [H]."""
    if settings.kind == "levels":
        return np.asarray(values.reshape(2, -1)[0])
    return values if settings.kind == "lif" else values.reshape(4, -1)[[0, 1, 3]]


def _levels(layer: LayerArrays, s: np.ndarray, settings: Settings) -> np.ndarray:
    """Constants [T, 3, H], of levels [T, H], that gates are compared with."""
    steps = settings.time_steps
    k = np.arange(1, steps + 1).reshape(-1, *[1] * thresholds(layer).ndim) - settings.shift - steps / 2
    levels = np.ceil(thresholds(layer).astype(np.float64) * k * 2.0 ** _gates(s, settings))
    return np.clip(levels, -LARGEST_LEVEL - 1, LARGEST_LEVEL + 1).astype(np.int32)


def _neurons(layer: LayerArrays, s: np.ndarray, current: np.ndarray, extra: np.ndarray, settings: Settings) -> _Neurons:
    unit = 2.0 ** (_gates(s, settings) + extra)
    threshold = np.maximum(np.round(thresholds(layer) * unit), 1)
    added = _gates(current, settings) * 2.0**extra
    if layer.offset is None:
        return _Neurons(threshold, None, (added <= LARGEST_CARRIED) & (threshold <= LARGEST_NEURON))
    offset = np.round((thresholds(layer) / 2.0 + layer.offset.astype(np.float64)) * unit)
    reach = settings.time_steps * (added + np.abs(offset))
    return _Neurons(threshold, offset, np.maximum(reach, threshold) <= LARGEST_NEURON)
