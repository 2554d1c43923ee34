"""A program in one file::

8 bytes   b"SPKSQ\\r\\n\\x1a"     foreign files, and text-mode copies, are told apart by it
4         version                little-endian, as all numbers
4         length of the header
..        header                 JSON: settings, sizes
..        arrays                 in the order of Program.layers and Program.readout, without gaps
4         CRC-32 of all before   any damage within 32 neighbouring bits is found for certain, other damage but for 2^-32
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from spikeseq.errors import CheckpointError
from spikeseq.runtime.arrays import (
    OPTIONAL,
    Int8Arrays,
    LayerArrays,
    ReadoutArrays,
    Settings,
    Spec,
    check_settings,
    hidden_size,
    layer_spec,
    readout_spec,
)

MAGIC, VERSION = b"SPKSQ\r\n\x1a", 2
_HEAD = struct.Struct("<8sII")


def encode(settings: Settings, layers: Sequence[LayerArrays | Int8Arrays], readout: ReadoutArrays | None) -> bytes:
    """Return the file's content."""
    header = {
        "settings": asdict(settings),
        "layers": [[len(a.input_rows), hidden_size(settings, a), _optional(a)] for a in layers],
        "readout": readout and [readout.rows.shape[1], _optional(readout), readout.pooling],
    }
    text = json.dumps(header).encode()
    body = b"".join(_bytes(a) for a in layers) + (_bytes(readout) if readout else b"")
    content = _HEAD.pack(MAGIC, VERSION, len(text)) + text + body
    return content + struct.pack("<I", zlib.crc32(content))


def decode(data: bytes) -> tuple[Settings, list[LayerArrays | Int8Arrays], ReadoutArrays | None]:
    """Return what :func:`encode` was given. Raises CheckpointError for everything else."""
    if len(data) < _HEAD.size + 4 or not data.startswith(MAGIC):
        raise CheckpointError("no file that program.save() wrote, or cut short")
    content, (crc,) = data[:-4], struct.unpack("<I", data[-4:])
    if zlib.crc32(content) != crc:
        raise CheckpointError("damaged or cut short (its checksum differs); save it anew")
    _, version, length = _HEAD.unpack_from(content)
    if version != VERSION:
        raise CheckpointError(f"it has version {version}, this one reads {VERSION}: save it anew")
    try:
        header = json.loads(content[_HEAD.size : _HEAD.size + length])
        return _build(header, content[_HEAD.size + length :])
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"a header that describes no program ({error}); save it anew") from error


def _optional(arrays: Any) -> list[str]:
    """Names of the arrays that are there and need not be."""
    return [name for name in OPTIONAL if getattr(arrays, name, None) is not None]


def _bytes(arrays: Any) -> bytes:
    """All arrays of a layer or readout, in order; little-endian."""
    found = [a for a in arrays if isinstance(a, np.ndarray)]
    return b"".join(a.astype(a.dtype.newbyteorder("<")).tobytes() for a in found)


def _build(header: Any, data: bytes) -> tuple[Settings, list[LayerArrays | Int8Arrays], ReadoutArrays | None]:
    """Header and numbers -> settings and arrays; Program checks them."""
    place = 0

    def take(spec: Spec, optional: Sequence[str]) -> dict[str, Any]:
        nonlocal place
        found: dict[str, Any] = {}
        for name, (kind, shape) in spec.items():
            if name in OPTIONAL and name not in optional:
                continue
            size = int(np.prod(shape, dtype=object)) * np.dtype(kind).itemsize
            if size < 1 or size > len(data) - place:
                raise ValueError("sizes and content differ")
            found[name] = np.frombuffer(data[place : place + size], kind).reshape(shape)
            place += size
        return found

    settings = Settings(**{**header["settings"], "names": tuple(header["settings"]["names"])})
    check_settings(settings)
    made: Any = Int8Arrays if settings.whole else LayerArrays
    layers: list[LayerArrays | Int8Arrays] = []
    for number, (width, hidden, optional) in enumerate(header["layers"]):
        found = take(layer_spec(settings, number, width, hidden), optional)
        layers.append(made(**{**dict.fromkeys(made._fields), **found}))
    readout = None
    if header["readout"]:
        outputs, optional, pooling = header["readout"]
        found = take(readout_spec(settings, hidden_size(settings, layers[-1]), outputs), optional)
        readout = ReadoutArrays(**{**dict.fromkeys(ReadoutArrays._fields), **found, "pooling": pooling})
    if place != len(data):
        raise ValueError("sizes and content differ")
    return settings, layers, readout
