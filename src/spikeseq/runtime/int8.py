r"""Float32 arrays -> int8 weights with a power-of-two scale for each channel; the rest of a layer: int8_constants.py.

Gated and leaky currents with multi-bit outputs keep floats but for their rows, ``w -> round(w / unit)``, with any unit.

Channel j of G: ``w -> round(w 2^s_j)`` with the largest s_j that keeps every weight of a row that spikes add within 127,
membranes in units of ``2^-s_j``. s_j goes down further where a sum of all weights could overflow 32 bits (check_int8.c).
Rows that the first layer multiplies have a scale of their own, ``2^r_j``.
"""

from __future__ import annotations

import numpy as np

from spikeseq.errors import ConfigError
from spikeseq.runtime.arrays import Array, Int8Arrays, LayerArrays, ReadoutArrays, Settings, hidden_size, thresholds
from spikeseq.runtime.int8_constants import COMPARED, FRACTION, constants, neurons_overflow

HIGHEST, LOWEST, MOST_OWN = 12, -8, 60  # s_j; r_j
LARGEST_SUM, LARGEST_CODED, LARGEST_CLIP = 1 << 26, 1 << 30, 512.0
LARGEST_DRIVE = {"grid": 1 << 24, "streams": 1 << 24, "lif": 1 << 20, "levels": 1 << 24}  # of T of them
THRESHOLD = 1 << 12  # units of V of a LIF network's first layer, to which no spike adds a row
DOWN, UP = -30, 24  # s_j - r_j of a coded input
SMALLEST_UNIT = 1e-30


def int8_layer(layer: LayerArrays, number: int, settings: Settings) -> Int8Arrays:
    """Return layer ``number`` with int8 weights. Raises ConfigError for a range that integers cannot hold."""
    coded = number == 0 and settings.input_code != "direct"
    own = _input_scale(layer.input_rows)
    s = _scale(layer, number, settings, own + UP if coded else np.inf)
    if s.min() < LOWEST or (layer.clip is not None and layer.clip.max() > LARGEST_CLIP):
        raise ConfigError(f'layer {number}: weights or ranges are too large for weights="int8"; pass "float32"')
    own = s if number else np.minimum(own, s - DOWN) if coded else own
    made = Int8Arrays(
        input_rows=_rounded(layer.input_rows, own),
        recurrent_rows=None if layer.recurrent_rows is None else _rounded(layer.recurrent_rows, s),
        input_scale=(2.0 ** (s - own)).astype(np.float32) if number == 0 and not coded else None,
        input_shift=(s - own).astype(np.int8) if coded else None,
        bias=None if layer.bias is None else np.round(layer.bias * 2.0**s).astype(np.int32),
        levels=None, clip=None, candidate=None, input_step=layer.input_step,
    )  # fmt: skip
    if layer.clip is not None:
        clip = np.maximum(np.round(layer.clip * 2.0**FRACTION), 1).astype(np.int32)
        block = s.reshape(settings.gates, hidden_size(settings, layer))[settings.gates // 2]  # that of g, or of c
        candidate = (FRACTION - block).astype(np.uint8)
        made = made._replace(clip=clip, candidate=candidate)
    return made._replace(**constants(layer, s, _current(layer, s, number, settings), settings))


def int8_readout(readout: ReadoutArrays) -> ReadoutArrays:
    """Return the readout with int8 weights."""
    s = np.minimum(_largest(readout.rows), MOST_OWN)
    return ReadoutArrays(_rounded(readout.rows, s), (2.0**-s).astype(np.float32), readout.bias, readout.pooling)


def unit_layer(layer: LayerArrays) -> LayerArrays:
    """Return a layer of multi-bit values with int8 weights ``round(w / unit)``, a unit for each channel of each matrix."""
    rows, unit = _units(layer.input_rows)
    made = layer._replace(input_rows=rows, input_unit=unit)
    if layer.recurrent_rows is None:
        return made
    rows, unit = _units(layer.recurrent_rows)
    return made._replace(recurrent_rows=rows, recurrent_unit=unit)


def unit_readout(readout: ReadoutArrays) -> ReadoutArrays:
    """Return its readout in the same manner."""
    rows, unit = _units(readout.rows)
    return ReadoutArrays(rows, unit, readout.bias, readout.pooling)


def _units(rows: Array) -> tuple[np.ndarray, Array]:
    most = np.maximum(np.abs(rows).max(0, initial=0), SMALLEST_UNIT * 127)
    unit = (most / 127).astype(np.float32)
    return np.clip(np.round(rows / unit), -127, 127).astype(np.int8), unit


def _scale(layer: LayerArrays, number: int, settings: Settings, most: np.ndarray | float) -> np.ndarray:
    """s_j [G], at most ``most``; below LOWEST where no scale does."""
    if settings.kind == "lif" and number == 0:
        s = np.floor(np.log2(THRESHOLD / thresholds(layer).astype(np.float64)))
    else:
        s = np.minimum(_largest(_added(layer, number)), HIGHEST)
    if settings.kind in COMPARED and number == 0:  # a gate that is wide open, or shut, lies within the limit of W x
        gates = s.reshape(settings.gates, -1)  # a view
        rows = [0, 1, 3] if settings.kind == "grid" else [0]
        reach = np.maximum(thresholds(layer).astype(np.float64).reshape(len(rows), -1), 2.0**-80)
        gates[rows] = np.minimum(
            gates[rows], np.floor(np.log2(LARGEST_DRIVE[settings.kind] / settings.nodes / 4 / reach))
        )
    s = np.minimum(s, most)
    while s.min() >= LOWEST:
        current = _current(layer, s, number, settings)
        over = (current * settings.nodes > LARGEST_SUM) | neurons_overflow(layer, s, current, settings)
        if not over.any():
            break
        s = s - over
    return s


def _added(layer: LayerArrays, number: int) -> Array:
    """Rows [.., G] that spikes add."""
    rows = [] if layer.recurrent_rows is None else [layer.recurrent_rows]
    return np.concatenate(rows + ([layer.input_rows] if number else []) or [layer.input_rows[:0]])


def _largest(rows: Array) -> np.ndarray:
    """Largest s with ``|w| 2^s <= 127`` for each column."""
    most = np.maximum(np.abs(rows).max(0, initial=0).astype(np.float64), 2.0**-80)
    return np.floor(np.log2(127 / most))


def _input_scale(rows: Array) -> np.ndarray:
    """The same for the first layer, whose sums of products with up to 127 must fit, too."""
    s = np.minimum(_largest(rows), MOST_OWN)
    while (over := 127 * np.abs(np.round(rows * 2.0**s)).sum(0) > LARGEST_CODED).any():
        s = s - over
    return s


def _rounded(rows: Array, s: np.ndarray) -> np.ndarray:
    return np.clip(np.round(rows * 2.0**s), -127, 127).astype(np.int8)


def _current(layer: LayerArrays, s: np.ndarray, number: int, settings: Settings) -> np.ndarray:
    """What a channel [G] adds in a time step at most, in its units."""
    steps = settings.time_steps
    packet = {"grid": 2 * steps - 1, "levels": steps}.get(settings.kind, 1)
    sums = np.abs(np.round(_added(layer, number) * 2.0**s)).sum(0) * packet
    constant = 0 if layer.bias is None else np.abs(np.round(layer.bias * 2.0**s))
    most: np.ndarray = sums + constant + (LARGEST_DRIVE[settings.kind] / settings.nodes if number == 0 else 0)
    return most
