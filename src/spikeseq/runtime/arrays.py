"""What a program is made of, as plain arrays, and the sizes that must fit: the C code trusts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeseq.errors import ConfigError, nearest
from spikeseq.shapes import check_time_steps

Array = NDArray[np.float32]
Spec = dict[str, tuple[str, tuple[int, ...]]]  # name -> type and shape of an array that is there
POOLING = ("last", "mean", "sum")  # in the order of spikeseq_pooling
KINDS = ("grid", "streams", "lif", "levels", "gated", "leaky")  # in the order of spikeseq_kind
RESETS = ("subtract", "zero")  # in the order of spikeseq_reset_rule
CODED = ("gated", "leaky")  # kinds whose outputs are multi-bit values
CURRENTS = ("levels", *CODED)  # kinds of one node an element
CODES = ("direct", "int8", "delta", "sigma_delta")  # in the order of spikeseq_input_code
WEIGHTS = ("float32", "int8")
OPTIONAL = ("bias", "leak")  # arrays that a layer may have or not
LINE = 64  # bytes of a cache line
MOST_PACKET = 127  # spikes of one unit are held in 8 bits; T = 16 sends at most 31


class LayerArrays(NamedTuple):
    """One layer, float32, row by row of its inputs; G = 4H, gate order i, f, g, o; 2H of levels and gated,
    order z, c; H of LIF and leaky layers.

    None: the layer's kind or place has no such array.
    """

    input_rows: Array  # [I, G]; levels above the first layer: W / T
    recurrent_rows: Array | None  # [H, G]; levels: U / T
    bias: Array | None  # [G]
    threshold: Array | None  # [3, H] V of i, f, o; LIF and levels [H]; None: gated, leaky
    clip: Array | None  # [H] gam
    leak: Array | None = None  # [3, H] streams of LIF gates, [H] LIF; None: 1
    offset: Array | None = None  # [3, H] streams: d*
    input_step: Array | None = None  # [I] first layer, coded input; input_rows are then for one step
    reach: Array | None = None  # [1] gated, leaky: M
    input_reach: Array | None = None  # [1] first layer, sigma-delta input: its M
    input_unit: Array | None = None  # [G] gated, leaky with int8 weights: rows are integers of this unit
    recurrent_unit: Array | None = None  # [G]


class Int8Arrays(NamedTuple):
    """The same with int8 weights (runtime/int8.py, csrc/spikeseq.h)."""

    input_rows: NDArray[np.int8]  # [I, G]
    recurrent_rows: NDArray[np.int8] | None  # [H, G]
    input_scale: Array | None  # [G] first layer, direct input
    input_shift: NDArray[np.int8] | None  # [G] first layer, coded input
    bias: NDArray[np.int32] | None  # [G]
    levels: NDArray[np.int32] | None  # [T, 3, H] grid, of i, f, o; [T, H] levels
    clip: NDArray[np.int32] | None  # [H] gam in units of 2^-16
    candidate: NDArray[np.uint8] | None  # [H] bits between the units of A_g and c, or I_c and c
    threshold: NDArray[np.int32] | None = None  # [3, H] streams, [H] LIF
    offset: NDArray[np.int32] | None = None  # [3, H] streams: V / 2 + d*
    extra: NDArray[np.uint8] | None = None  # [3, H] or [H]: bits of a neuron below those of the sums
    leak: NDArray[np.uint32] | None = None  # [3, H] or [H] in units of 2^-16; None: 1
    input_step: Array | None = None  # [I] first layer, coded input


class ReadoutArrays(NamedTuple):
    """The linear readout."""

    rows: NDArray[Any]  # [H, O] float32 or int8
    scale: Array | None  # [O] of int8 rows
    bias: Array | None  # [O]
    pooling: Literal["last", "mean", "sum"]


@dataclass(frozen=True)
class Settings:
    """What all layers share; B = ``max_packet``, 0: packets as large as they come."""

    time_steps: int
    max_packet: int
    shift: float
    prefix: str = ""  # of the layers' names in counters()
    weights: Literal["float32", "int8"] = "float32"
    kind: Literal["grid", "streams", "lif", "levels", "gated", "leaky"] = "grid"
    reset: Literal["subtract", "zero"] = "subtract"  # of LIF
    input_code: Literal["direct", "int8", "delta", "sigma_delta"] = "direct"
    names: tuple[str, ...] = ()  # LIF: of product and neurons of each layer, of the readout and its integrator
    is_signed: bool = False  # levels, gated, leaky: whether what is sent may be negative
    recurrent: bool = True  # levels, gated: whether there is a product with U
    code_scale: float = 0.0  # gated, leaky: levels from 0 to M
    input_scale: float = 0.0  # the same of a sigma-delta input
    code_dead: int = 0  # of which so many next to 0 are sent as 0
    code_nearest: bool = False  # rounded to the nearest; else towards 0

    @property
    def gates(self) -> int:
        """G / H."""
        return {"lif": 1, "leaky": 1, "levels": 2, "gated": 2}.get(self.kind, 4)

    @property
    def whole(self) -> bool:
        """Whether states and sums are integers: int8 weights of all kinds but the multi-bit ones, whose rows alone are."""
        return self.weights == "int8" and self.kind not in CODED

    @property
    def most(self) -> int:
        """The largest number of spikes, or level, that a unit sends at once."""
        if self.kind in CODED:
            return int(self.code_scale + 0.5 * self.code_nearest)
        return {"grid": 2 * self.time_steps - 1, "levels": self.time_steps}.get(self.kind, 1)

    @property
    def nodes(self) -> int:
        """Nodes of an element: T, or the one of currents, which sends all at once."""
        return 1 if self.kind in CURRENTS else self.time_steps


def thresholds(layer: LayerArrays) -> Array:
    """V of a layer that has them: all kinds but the multi-bit ones."""
    assert layer.threshold is not None
    return layer.threshold


def hidden_size(settings: Settings, layer: LayerArrays | Int8Arrays) -> int:
    """H of a layer."""
    return int(layer.input_rows.shape[-1]) // settings.gates


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
    for name, allowed in (("weights", WEIGHTS), ("kind", KINDS), ("input_code", CODES), ("reset", RESETS)):
        value = getattr(settings, name)
        if value not in allowed:
            raise ConfigError(f"{name}={value!r}: {nearest(str(value), allowed)}")
    packet, shift = settings.max_packet, settings.shift
    if isinstance(packet, bool) or not isinstance(packet, int) or not 0 <= packet <= MOST_PACKET:
        raise ConfigError(f"max_packet={packet!r}: pass 0 (no limit) to {MOST_PACKET}")
    if shift not in (0, 0.5):
        raise ConfigError(f"shift={shift!r}: pass 0.5 or 0.0")
    codes = ("direct", "sigma_delta") if settings.kind in CODED else CODES[:-1]
    if settings.input_code not in codes:
        raise ConfigError(f"input_code={settings.input_code!r} with kind={settings.kind!r}: pass one of {codes}")
    dead = settings.code_dead
    for name, used in (("code_scale", settings.kind in CODED), ("input_scale", settings.input_code == "sigma_delta")):
        scale = getattr(settings, name)
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not used <= scale < MOST_PACKET + 1:
            raise ConfigError(f"{name}={scale!r}: pass a number from {int(used)} to {MOST_PACKET + 1}")
    if isinstance(dead, bool) or not isinstance(dead, int) or not 0 <= dead <= MOST_PACKET:
        raise ConfigError(f"code_dead={dead!r}: pass 0 to {MOST_PACKET}")
    for flag in ("is_signed", "recurrent", "code_nearest"):
        if not isinstance(getattr(settings, flag), bool):
            raise ConfigError(f"{flag}={getattr(settings, flag)!r}: pass True or False")
    if not all(isinstance(name, str) for name in (settings.prefix, *settings.names)):
        raise ConfigError(f"prefix={settings.prefix!r}, names={settings.names!r}: pass text")


def layer_spec(settings: Settings, number: int, width: int, hidden: int) -> Spec:
    """Type and shape of each array of layer ``number``, I = width, in the order of its fields."""
    coded, grid, lif = settings.input_code in ("int8", "delta"), settings.kind == "grid", settings.kind == "lif"
    wide, each, units = (settings.gates * hidden,), (hidden,) if settings.gates < 4 else (3, hidden), (hidden,)
    first, streams, levels = number == 0, settings.kind == "streams", settings.kind == "levels"
    recurs = settings.gates == 4 or (settings.gates == 2 and settings.recurrent)
    multi_bit = settings.kind in CODED
    scaled, rows = multi_bit and settings.weights == "int8", "|i1" if settings.weights == "int8" else "<f4"
    spec: Mapping[str, tuple[str, tuple[int, ...], bool]]  # the last: whether this layer has it
    if not settings.whole:
        spec = {
            "input_rows": (rows, (width, *wide), True), "recurrent_rows": (rows, (hidden, *wide), recurs),
            "bias": ("<f4", wide, True), "threshold": ("<f4", each, not multi_bit),
            "clip": ("<f4", units, not lif and not multi_bit),
            "leak": ("<f4", each, settings.kind in ("lif", "streams", "leaky")), "offset": ("<f4", each, streams),
            "input_step": ("<f4", (width,), first and coded), "reach": ("<f4", (1,), multi_bit),
            "input_reach": ("<f4", (1,), first and settings.input_code == "sigma_delta"),
            "input_unit": ("<f4", wide, scaled), "recurrent_unit": ("<f4", wide, scaled and recurs),
        }  # fmt: skip
    else:
        spec = {
            "input_rows": ("|i1", (width, *wide), True), "recurrent_rows": ("|i1", (hidden, *wide), recurs),
            "input_scale": ("<f4", wide, first and not coded), "input_shift": ("|i1", wide, first and coded),
            "bias": ("<i4", wide, True), "levels": ("<i4", (settings.time_steps, *each), grid or levels),
            "clip": ("<i4", units, not lif), "candidate": ("|u1", units, not lif), "threshold": ("<i4", each, lif or streams),
            "offset": ("<i4", each, streams), "extra": ("|u1", each, lif or streams), "leak": ("<u4", each, lif or streams),
            "input_step": ("<f4", (width,), first and coded),
        }  # fmt: skip
    return {name: (kind, shape) for name, (kind, shape, there) in spec.items() if there}


def readout_spec(settings: Settings, hidden: int, outputs: int) -> Spec:
    """Type and shape of each array of the readout."""
    if settings.weights == "float32":
        return {"rows": ("<f4", (hidden, outputs)), "bias": ("<f4", (outputs,))}
    return {"rows": ("|i1", (hidden, outputs)), "scale": ("<f4", (outputs,)), "bias": ("<f4", (outputs,))}


def check_shapes(settings: Settings, layers: Sequence[LayerArrays | Int8Arrays], readout: ReadoutArrays | None) -> None:
    """Raise ConfigError where an array has not the type or size that the others say."""
    if not layers:
        raise ConfigError("layers is empty: pass at least one")
    width = len(layers[0].input_rows)
    for number, layer in enumerate(layers):
        hidden = hidden_size(settings, layer)
        if settings.kind != "lif" and number and hidden != width:  # a stream's state is one array [layers, T, H]
            raise ConfigError(f"layer {number} has {hidden} units, those before {width}: pass layers of one size")
        _check(f"layer {number}", layer, layer_spec(settings, number, width, hidden))
        width = hidden
    if readout:
        if readout.pooling not in POOLING:
            raise ConfigError(f"pooling={readout.pooling!r}: pass one of {POOLING}")
        _check("the readout", readout, readout_spec(settings, width, max(1, readout.rows.shape[-1])))


def _check(name: str, arrays: Any, spec: Spec) -> None:
    for field in arrays._fields:
        array = getattr(arrays, field)
        if field == "pooling" or (array is None and (field in OPTIONAL or field not in spec)):
            continue
        kind, shape = spec.get(field, (None, None))
        if array is None or array.shape != shape or array.dtype != np.dtype(kind):
            found = None if array is None else f"{array.dtype} {array.shape}"
            raise ConfigError(f"{name}: {field} is {found}, not {kind and np.dtype(kind)} {shape}")
