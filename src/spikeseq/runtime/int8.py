r"""Float32 arrays -> int8 weights with a power-of-two scale for each channel, and the integer constants of the cell.

Channel j of 4H: ``w -> round(w 2^s_j)`` with the largest s_j that keeps every weight within 127, membranes in units of
``2^-s_j``. s_j goes down further where a sum of all weights could overflow 32 bits (check_int8.c). Gates compare::

    A_k T / t >= ceil(V_k (k - shift - T / 2) 2^s_j),  k = 1 .. T          equal to K_k >= k (docs/equations.md)
"""

from __future__ import annotations

import numpy as np

from spikeseq.errors import ConfigError
from spikeseq.runtime.arrays import Array, Int8Arrays, LayerArrays, ReadoutArrays, Settings

FRACTION, HIGHEST, LOWEST = 16, 12, -8  # bits of c behind the point; s_j
LARGEST_SUM, LARGEST_DRIVE, LARGEST_LEVEL, LARGEST_CLIP = 1 << 26, 1 << 24, 1 << 30, 512.0


def int8_layer(layer: LayerArrays, number: int, settings: Settings) -> Int8Arrays:
    """Return layer ``number`` with int8 weights. Raises ConfigError for a range that integers cannot hold."""
    steps, hidden = settings.time_steps, layer.clip.shape[0]
    spiking = layer.recurrent_rows if number == 0 else np.concatenate([layer.recurrent_rows, layer.input_rows])
    s = np.minimum(_shift(spiking), HIGHEST)
    while (over := _bound(spiking, layer.bias, s, number, steps) > LARGEST_SUM).any():
        s = s - over
        if s.min() < LOWEST:
            break
    if s.min() < LOWEST or layer.clip.max() > LARGEST_CLIP:
        raise ConfigError(f'layer {number}: weights or clip ranges are too large for weights="int8"; pass "float32"')
    own = np.minimum(_shift(layer.input_rows), 60) if number == 0 else s
    gates = s.reshape(4, 1, hidden)[[0, 1, 3], 0]
    k = np.arange(1, steps + 1)[:, None, None] - settings.shift - steps / 2
    levels = np.ceil(layer.threshold.astype(np.float64) * k * 2.0**gates)
    return Int8Arrays(
        _rounded(layer.input_rows, own), _rounded(layer.recurrent_rows, s),
        (2.0 ** (s - own)).astype(np.float32) if number == 0 else None,
        None if layer.bias is None else np.round(layer.bias * 2.0**s).astype(np.int32),
        np.clip(levels, -LARGEST_LEVEL - 1, LARGEST_LEVEL + 1).astype(np.int32),
        np.maximum(np.round(layer.clip * 2.0**FRACTION), 1).astype(np.int32),
        (FRACTION - s.reshape(4, hidden)[2]).astype(np.uint8),
    )  # fmt: skip


def int8_readout(readout: ReadoutArrays) -> ReadoutArrays:
    """Return the readout with int8 weights."""
    s = np.minimum(_shift(readout.rows), 60)
    return ReadoutArrays(_rounded(readout.rows, s), (2.0**-s).astype(np.float32), readout.bias, readout.pooling)


def _shift(rows: Array) -> np.ndarray:
    """Largest s with ``|w| 2^s <= 127`` for each column."""
    largest = np.maximum(np.abs(rows).max(0).astype(np.float64), 2.0**-80)
    return np.floor(np.log2(127 / largest))


def _rounded(rows: Array, s: np.ndarray) -> np.ndarray:
    return np.clip(np.round(rows * 2.0**s), -127, 127).astype(np.int8)


def _bound(rows: Array, bias: Array | None, s: np.ndarray, number: int, steps: int) -> np.ndarray:
    """What a membrane cannot exceed, in its units."""
    sums = np.abs(np.round(rows * 2.0**s)).sum(0) * steps * (2 * steps - 1)
    constant = 0 if bias is None else np.abs(np.round(bias * 2.0**s)) * steps
    bound: np.ndarray = sums + constant + (LARGEST_DRIVE if number == 0 else 0)
    return bound
