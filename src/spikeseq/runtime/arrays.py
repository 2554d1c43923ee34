"""What a program is made of, as plain arrays, and the sizes that must fit: the C code trusts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeseq.errors import ConfigError
from spikeseq.shapes import check_time_steps

Array = NDArray[np.float32]
POOLING = ("last", "mean")
MOST_PACKET = 127  # spikes of one unit are held in 8 bits; T = 16 sends at most 31


class LayerArrays(NamedTuple):
    """One grid layer, float32, row by row of its inputs; gate order i, f, g, o."""

    input_rows: Array  # [I, 4H]
    recurrent_rows: Array  # [H, 4H]
    bias: Array | None  # [4H]
    threshold: Array  # [3, H] V of i, f, o
    clip: Array  # [H] gam


class ReadoutArrays(NamedTuple):
    """The linear readout."""

    rows: Array  # [H, O]
    bias: Array | None  # [O]
    pooling: Literal["last", "mean"]


@dataclass(frozen=True)
class Settings:
    """What all layers share; B = ``max_packet``, 0: packets as large as they come."""

    time_steps: int
    max_packet: int
    shift: float
    prefix: str = ""  # of the layers' names in counters()


def frozen(array: Array | None) -> Array | None:
    """An own copy that nobody can change behind the check."""
    if array is None:
        return None
    own = np.array(array, dtype=np.float32, order="C")
    own.setflags(write=False)
    return own


def check_settings(settings: Settings) -> None:
    """Raise ConfigError for a value that cannot work."""
    check_time_steps(settings.time_steps)
    packet, shift = settings.max_packet, settings.shift
    if isinstance(packet, bool) or not isinstance(packet, int) or not 0 <= packet <= MOST_PACKET:
        raise ConfigError(f"max_packet={packet!r}: pass 0 (no limit) to {MOST_PACKET}")
    if shift not in (0, 0.5) or not isinstance(settings.prefix, str):
        raise ConfigError(f"shift={shift!r}, prefix={settings.prefix!r}: pass 0.5 or 0.0, and text")


def check_shapes(layers: tuple[LayerArrays, ...], readout: ReadoutArrays | None) -> None:
    """Raise ConfigError where an array has not the size that the others say."""
    if not layers:
        raise ConfigError("layers is empty: pass at least one")
    width = layers[0].input_rows.shape[0]
    for number, layer in enumerate(layers):
        hidden = layer.clip.shape[-1]
        wanted = [(width, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,), (3, hidden), (hidden,)]
        for name, array, shape in zip(LayerArrays._fields, layer, wanted, strict=True):
            if array is not None and array.shape != shape:
                raise ConfigError(f"layer {number}: {name} has shape {array.shape}, not {shape}")
        width = hidden
    if readout and readout.pooling not in POOLING:
        raise ConfigError(f"pooling={readout.pooling!r}: pass one of {POOLING}")
    if readout and (readout.rows.ndim != 2 or readout.rows.shape[0] != width or readout.rows.shape[1] < 1):
        raise ConfigError(f"the readout has rows of shape {readout.rows.shape}, not ({width}, outputs)")
    if readout and readout.bias is not None and readout.bias.shape != readout.rows.shape[1:]:
        raise ConfigError(f"the readout has a bias of shape {readout.bias.shape}, not {readout.rows.shape[1:]}")
