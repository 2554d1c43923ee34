r"""Float32 arrays -> int8 weights with a power-of-two scale for each channel, and the integer constants of the cell.

Channel j of 4H: ``w -> round(w 2^s_j)`` with the largest s_j that keeps every weight within 127, membranes in units of
``2^-s_j``. s_j goes down further where a sum of all weights could overflow 32 bits (check_int8.c). A grid's gates compare::

    A_k T / t >= ceil(V_k (k - shift - T / 2) 2^s_j),  k = 1 .. T          equal to K_k >= k (docs/equations.md)

Gates of streams are neurons in units of ``2^-(s_j + e_j)``, with e_j up to 12 extra bits for what a leak divides; a leak is
rounded to q / 2^8 and taken as shifted additions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spikeseq.errors import ConfigError
from spikeseq.runtime.arrays import Array, Int8Arrays, LayerArrays, ReadoutArrays, Settings

FRACTION, HIGHEST, LOWEST = 16, 12, -8  # bits of c behind the point; s_j
MOST_EXTRA, LEAK_BITS = 12, 8  # e_j; of a leak
LARGEST_SUM, LARGEST_NEURON, LARGEST_DRIVE, LARGEST_CODED = 1 << 26, 1 << 28, 1 << 24, 1 << 30
LARGEST_LEVEL, LARGEST_CLIP = 1 << 30, 512.0
DOWN, UP = -30, 24  # s_j - r_j of a coded input


class _Neurons(NamedTuple):
    """Gate neurons of streams, real numbers [3, H] in their own units."""

    threshold: np.ndarray
    offset: np.ndarray  # V / 2 + d*
    reach: np.ndarray  # what a membrane cannot exceed


def int8_layer(layer: LayerArrays, number: int, settings: Settings) -> Int8Arrays:
    """Return layer ``number`` with int8 weights. Raises ConfigError for a range that integers cannot hold."""
    hidden = layer.clip.shape[0]
    spiking = layer.recurrent_rows if number == 0 else np.concatenate([layer.recurrent_rows, layer.input_rows])
    coded = number == 0 and settings.input_code != "direct"
    s = np.minimum(_shift(spiking), HIGHEST)
    own = _input_shift(layer.input_rows) if number == 0 else s
    s = np.minimum(s, own + UP) if coded else s
    while (over := _overflows(layer, spiking, s, number, settings)).any():
        s = s - over
        if s.min() < LOWEST:
            break
    if s.min() < LOWEST or layer.clip.max() > LARGEST_CLIP:
        raise ConfigError(f'layer {number}: weights or ranges are too large for weights="int8"; pass "float32"')
    if coded:
        own = np.minimum(own, s - DOWN)
    elif number:
        own = s
    made = Int8Arrays(
        _rounded(layer.input_rows, own), _rounded(layer.recurrent_rows, s),
        (2.0 ** (s - own)).astype(np.float32) if number == 0 and not coded else None,
        (s - own).astype(np.int8) if coded else None,
        None if layer.bias is None else np.round(layer.bias * 2.0**s).astype(np.int32),
        _levels(layer, s, settings) if settings.kind == "grid" else None,
        np.maximum(np.round(layer.clip * 2.0**FRACTION), 1).astype(np.int32),
        (FRACTION - s.reshape(4, hidden)[2]).astype(np.uint8), input_step=layer.input_step,
    )  # fmt: skip
    return made if settings.kind == "grid" else _with_neurons(made, layer, s, number, settings)


def int8_readout(readout: ReadoutArrays) -> ReadoutArrays:
    """Return the readout with int8 weights."""
    s = np.minimum(_shift(readout.rows), 60)
    return ReadoutArrays(_rounded(readout.rows, s), (2.0**-s).astype(np.float32), readout.bias, readout.pooling)


def _shift(rows: Array) -> np.ndarray:
    """Largest s with ``|w| 2^s <= 127`` for each column."""
    largest = np.maximum(np.abs(rows).max(0).astype(np.float64), 2.0**-80)
    return np.floor(np.log2(127 / largest))


def _input_shift(rows: Array) -> np.ndarray:
    """The same for the first layer, whose sums of products with up to 127 must fit, too."""
    s = np.minimum(_shift(rows), 60)
    while (over := 127 * np.abs(np.round(rows * 2.0**s)).sum(0) > LARGEST_CODED).any():
        s = s - over
    return s


def _rounded(rows: Array, s: np.ndarray) -> np.ndarray:
    return np.clip(np.round(rows * 2.0**s), -127, 127).astype(np.int8)


def _gates(values: np.ndarray) -> np.ndarray:
    """Channels [4H] -> those of i, f, o, [3, H]."""
    return values.reshape(4, -1)[[0, 1, 3]]


def _levels(layer: LayerArrays, s: np.ndarray, settings: Settings) -> np.ndarray:
    """Constants [T, 3, H] that a grid's gates are compared with."""
    steps = settings.time_steps
    k = np.arange(1, steps + 1)[:, None, None] - settings.shift - steps / 2
    levels = np.ceil(layer.threshold.astype(np.float64) * k * 2.0 ** _gates(s))
    return np.clip(levels, -LARGEST_LEVEL - 1, LARGEST_LEVEL + 1).astype(np.int32)


def _current(spiking: Array, bias: Array | None, s: np.ndarray, number: int, settings: Settings) -> np.ndarray:
    """What a channel [4H] adds in a time step at most, in its units."""
    steps = settings.time_steps
    packet = 2 * steps - 1 if settings.kind == "grid" else 1
    sums = np.abs(np.round(spiking * 2.0**s)).sum(0) * packet
    constant = 0 if bias is None else np.abs(np.round(bias * 2.0**s))
    most: np.ndarray = sums + constant + (LARGEST_DRIVE / steps if number == 0 else 0)
    return most


def _neurons(layer: LayerArrays, current: np.ndarray, bits: np.ndarray, extra: np.ndarray, steps: int) -> _Neurons:
    """Neurons in units of 2^-bits, ``extra`` of them below those of the current."""
    assert layer.offset is not None
    threshold = np.maximum(np.round(layer.threshold * 2.0**bits), 1)
    offset = np.round((layer.threshold / 2.0 + layer.offset.astype(np.float64)) * 2.0**bits)
    return _Neurons(threshold, offset, steps * (_gates(current) * 2.0**extra + np.abs(offset)))


def _too_far(neurons: _Neurons) -> np.ndarray:
    return np.maximum(neurons.reach, neurons.threshold) > LARGEST_NEURON


def _overflows(layer: LayerArrays, spiking: Array, s: np.ndarray, number: int, settings: Settings) -> np.ndarray:
    """Channels [4H] whose sums could overflow."""
    current = _current(spiking, layer.bias, s, number, settings)
    over: np.ndarray = current * settings.time_steps > LARGEST_SUM
    if settings.kind == "streams":
        zero = np.zeros_like(layer.threshold, dtype=np.float64)
        gates = over.reshape(4, -1)
        gates[[0, 1, 3]] |= _too_far(_neurons(layer, current, _gates(s), zero, settings.time_steps))
    return over


def _with_neurons(made: Int8Arrays, layer: LayerArrays, s: np.ndarray, number: int, settings: Settings) -> Int8Arrays:
    """Add the constants of the gate neurons, with as many extra bits as fit."""
    spiking = layer.recurrent_rows if number == 0 else np.concatenate([layer.recurrent_rows, layer.input_rows])
    current, gates = _current(spiking, layer.bias, s, number, settings), _gates(s)
    extra = np.full(gates.shape, MOST_EXTRA)
    neurons = _neurons(layer, current, gates + extra, extra, settings.time_steps)
    while (over := _too_far(neurons)).any():
        extra = extra - over
        neurons = _neurons(layer, current, gates + extra, extra, settings.time_steps)
    leak = None if layer.leak is None else np.round(layer.leak * 2.0**LEAK_BITS).astype(np.uint16)
    return made._replace(
        threshold=neurons.threshold.astype(np.int32), offset=neurons.offset.astype(np.int32),
        extra=extra.astype(np.uint8), leak=leak,
    )  # fmt: skip
