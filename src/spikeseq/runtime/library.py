"""The C library (csrc/spikeseq.h) through ctypes: one shared library serves every Python."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from ctypes import (
    POINTER,
    Structure,
    c_double,
    c_float,
    c_int8,
    c_int32,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any, ClassVar

from spikeseq.errors import ConfigError

ABI = 5  # SPIKESEQ_ABI
OK = 0  # spikeseq_status
OPERATIONS = (
    "elements", "macs", "elementwise", "int8_macs", "acs", "gated_adds", "neuron_updates", "comparisons", "spikes",
)  # fmt: skip
FloatPointer = POINTER(c_float)
Byte, Word = POINTER(c_int8), POINTER(c_int32)


class LayerC(Structure):
    """``spikeseq_layer``."""

    _fields_: ClassVar[Any] = [
        ("input_size", c_uint32), ("hidden_size", c_uint32), ("leak_products", c_uint32), ("leak_additions", c_uint32),
        ("input_rows", FloatPointer), ("recurrent_rows", FloatPointer), ("bias", FloatPointer),
        ("threshold", FloatPointer), ("clip", FloatPointer), ("leak", FloatPointer), ("offset", FloatPointer),
        ("input_step", FloatPointer), ("reach", FloatPointer), ("input_reach", FloatPointer),
        ("input_rows_int8", Byte), ("recurrent_rows_int8", Byte),
        ("input_unit", FloatPointer), ("recurrent_unit", FloatPointer),
    ]  # fmt: skip


class LayerInt8C(Structure):
    """``spikeseq_layer_int8``."""

    _fields_: ClassVar[Any] = [
        ("input_size", c_uint32), ("hidden_size", c_uint32), ("leak_products", c_uint32), ("leak_additions", c_uint32),
        ("input_rows", Byte), ("recurrent_rows", Byte),
        ("input_scale", FloatPointer), ("input_shift", Byte), ("bias", Word), ("levels", Word), ("clip", Word),
        ("candidate", POINTER(c_uint8)), ("threshold", Word), ("offset", Word), ("extra", POINTER(c_uint8)),
        ("leak", POINTER(c_uint32)), ("input_step", FloatPointer),
    ]  # fmt: skip


class ModelC(Structure):
    """``spikeseq_model``."""

    _fields_: ClassVar[Any] = [
        ("kind", c_uint32), ("input_code", c_uint32), ("time_steps", c_uint32), ("max_packet", c_uint32),
        ("shift", c_float), ("num_layers", c_uint32), ("layers", POINTER(LayerC)), ("reset", c_uint32),
        ("is_signed", c_uint32), ("code_scale", c_float), ("input_scale", c_float),
        ("code_dead", c_uint32), ("code_nearest", c_uint32),
        ("pooling", c_uint32),
        ("outputs", c_uint32), ("readout_rows", FloatPointer), ("readout_bias", FloatPointer),
        ("layers_int8", POINTER(LayerInt8C)), ("readout_int8", Byte), ("readout_scale", FloatPointer),
    ]  # fmt: skip


class CountersC(Structure):
    """``spikeseq_counters``."""

    _fields_: ClassVar[Any] = [(name, c_uint64) for name in OPERATIONS]


class StreamC(Structure):
    """``spikeseq_stream``."""

    _fields_: ClassVar[Any] = [
        ("model", POINTER(ModelC)), ("counters", POINTER(CountersC)), ("sum", POINTER(c_double)), ("elements", c_uint64),
        ("input_spikes", c_uint64), ("analog", c_uint32), ("c", FloatPointer), ("c_int8", Word), ("h", Byte), ("k", Byte),
        ("held", POINTER(c_double)), ("held_int8", Word), ("x", FloatPointer), ("membrane", FloatPointer),
        ("drive", FloatPointer), ("neurons", FloatPointer), ("total", FloatPointer), ("packets", Byte),
        ("list", POINTER(c_uint32)), ("membrane_int8", Word), ("drive_int8", Word), ("sums", Word), ("neurons_int8", Word),
        ("scratch", POINTER(c_uint16)), ("shared", c_void_p), ("rest", Byte),
    ]  # fmt: skip


# c_void_p takes plain addresses: no object is made for each call
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "spikeseq_abi": (c_uint32, []),
    "spikeseq_message": (ctypes.c_char_p, [ctypes.c_int]),
    "spikeseq_check": (ctypes.c_int, [POINTER(ModelC)]),
    "spikeseq_stream_size": (ctypes.c_int, [POINTER(ModelC), POINTER(c_size_t)]),
    "spikeseq_stream_init": (ctypes.c_int, [POINTER(ModelC), c_void_p, c_size_t, POINTER(StreamC)]),
    "spikeseq_multiply": (ctypes.c_int, [c_void_p]),
    "spikeseq_reset": (ctypes.c_int, [c_void_p]),
    "spikeseq_step": (ctypes.c_int, [c_void_p, c_void_p, c_size_t, c_void_p, c_size_t]),
    "spikeseq_sequence": (ctypes.c_int, [c_void_p, c_void_p, c_size_t, c_void_p, c_size_t]),
}


def library_path() -> Path | None:
    """Where the built library is: ``SPIKESEQ_LIBRARY`` if set, else beside the package; None if it was not built."""
    given = os.environ.get("SPIKESEQ_LIBRARY")
    if given:
        return Path(given)
    ending = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    path = Path(__file__).with_name(f"libspikeseq{ending}")
    return path if path.exists() else None


def load_library() -> ctypes.CDLL:
    """Return the library, loaded once. Raises ConfigError when it was not built, or cannot be loaded, or is another version."""
    path = library_path()
    if path is None:
        raise ConfigError(
            "the event-driven runtime was not built with this installation: install spikeseq where a C compiler is "
            "found (pip install ., or make lib in a clone)"
        )
    return _load(path)


@functools.cache
def _load(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise ConfigError(
            f"the runtime's library {str(path)!r} cannot be loaded ({error}); install spikeseq anew"
        ) from error
    found = library.spikeseq_abi()
    if found != ABI:
        raise ConfigError(
            f"the runtime's library {str(path)!r} has interface {found}, this version needs {ABI}: install anew"
        )
    return library


def message(library: ctypes.CDLL, status: int) -> str:
    """What a status code means."""
    text: bytes = library.spikeseq_message(status)
    return text.decode()
