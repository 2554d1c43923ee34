"""What a program is made of, as plain arrays, and the sizes that must fit: the C code trusts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeseq.errors import ConfigError, nearest
from spikeseq.shapes import check_time_steps

Array = NDArray[np.float32]
POOLING = ("last", "mean")
WEIGHTS = ("float32", "int8")
LINE = 64  # bytes of a cache line
MOST_PACKET = 127  # spikes of one unit are held in 8 bits; T = 16 sends at most 31


class LayerArrays(NamedTuple):
    """One grid layer, float32, row by row of its inputs; gate order i, f, g, o."""

    input_rows: Array  # [I, 4H]
    recurrent_rows: Array  # [H, 4H]
    bias: Array | None  # [4H]
    threshold: Array  # [3, H] V of i, f, o
    clip: Array  # [H] gam


class Int8Arrays(NamedTuple):
    """The same with int8 weights (runtime/int8.py, csrc/spikeseq.h)."""

    input_rows: NDArray[np.int8]  # [I, 4H]
    recurrent_rows: NDArray[np.int8]  # [H, 4H]
    input_scale: Array | None  # [4H], first layer only
    bias: NDArray[np.int32] | None  # [4H]
    levels: NDArray[np.int32]  # [T, 3, H] of i, f, o
    clip: NDArray[np.int32]  # [H] gam in units of 2^-16
    candidate: NDArray[np.uint8]  # [H] bits between the units of A_g and c


class ReadoutArrays(NamedTuple):
    """The linear readout."""

    rows: NDArray[Any]  # [H, O] float32 or int8
    scale: Array | None  # [O] of int8 rows
    bias: Array | None  # [O]
    pooling: Literal["last", "mean"]


@dataclass(frozen=True)
class Settings:
    """What all layers share; B = ``max_packet``, 0: packets as large as they come."""

    time_steps: int
    max_packet: int
    shift: float
    prefix: str = ""  # of the layers' names in counters()
    weights: Literal["float32", "int8"] = "float32"


def frozen(array: NDArray[Any] | None) -> NDArray[Any] | None:
    """An own copy that nobody can change behind the check, at the start of a cache line."""
    if array is None:
        return None
    memory = np.empty(array.nbytes + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    own = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    own[...] = array
    own.setflags(write=False)
    return own


def check_settings(settings: Settings) -> None:
    """Raise ConfigError for a value that cannot work."""
    check_time_steps(settings.time_steps)
    if settings.weights not in WEIGHTS:
        raise ConfigError(f"weights={settings.weights!r}: {nearest(str(settings.weights), WEIGHTS)}")
    packet, shift = settings.max_packet, settings.shift
    if isinstance(packet, bool) or not isinstance(packet, int) or not 0 <= packet <= MOST_PACKET:
        raise ConfigError(f"max_packet={packet!r}: pass 0 (no limit) to {MOST_PACKET}")
    if shift not in (0, 0.5) or not isinstance(settings.prefix, str):
        raise ConfigError(f"shift={shift!r}, prefix={settings.prefix!r}: pass 0.5 or 0.0, and text")


def layer_spec(settings: Settings, width: int, hidden: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of each array of a layer, in the order of its fields."""
    rows, four = (width, 4 * hidden), (4 * hidden,)
    if settings.weights == "float32":
        shapes = [rows, (hidden, *four), four, (3, hidden), (hidden,)]
        return {name: ("<f4", shape) for name, shape in zip(LayerArrays._fields, shapes, strict=True)}
    return {
        "input_rows": ("|i1", rows), "recurrent_rows": ("|i1", (hidden, *four)), "input_scale": ("<f4", four),
        "bias": ("<i4", four), "levels": ("<i4", (settings.time_steps, 3, hidden)), "clip": ("<i4", (hidden,)),
        "candidate": ("|u1", (hidden,)),
    }  # fmt: skip


def readout_spec(settings: Settings, hidden: int, outputs: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of each array of the readout."""
    kind = "<f4" if settings.weights == "float32" else "|i1"
    return {"rows": (kind, (hidden, outputs)), "scale": ("<f4", (outputs,)), "bias": ("<f4", (outputs,))}


def optional(settings: Settings, number: int | None) -> dict[str, bool]:
    """Whether an array may, or (False) must not be missing, beside ``bias``; number None: the readout."""
    return {"scale": settings.weights == "float32", "input_scale": number != 0}


def check_shapes(settings: Settings, layers: Sequence[LayerArrays | Int8Arrays], readout: ReadoutArrays | None) -> None:
    """Raise ConfigError where an array has not the type or size that the others say."""
    if not layers:
        raise ConfigError("layers is empty: pass at least one")
    width = len(layers[0].input_rows)
    for number, layer in enumerate(layers):
        hidden = layer.clip.shape[-1]
        _check(f"layer {number}", layer, layer_spec(settings, width, hidden), optional(settings, number))
        width = hidden
    if readout:
        if readout.pooling not in POOLING:
            raise ConfigError(f"pooling={readout.pooling!r}: pass one of {POOLING}")
        spec = readout_spec(settings, width, max(1, readout.rows.shape[-1]))
        _check("the readout", readout, spec, optional(settings, None))


def _check(name: str, arrays: Any, spec: dict[str, tuple[str, tuple[int, ...]]], missing: dict[str, bool]) -> None:
    for field, (kind, shape) in spec.items():
        array = getattr(arrays, field)
        if array is None and (field == "bias" or missing.get(field)):
            continue
        if array is None or array.shape != shape or array.dtype != np.dtype(kind):
            found = None if array is None else f"{array.dtype} {array.shape}"
            raise ConfigError(f"{name}: {field} is {found}, not {np.dtype(kind)} {shape}")
