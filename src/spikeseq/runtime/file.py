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
    Int8Arrays,
    LayerArrays,
    ReadoutArrays,
    Settings,
    check_settings,
    layer_spec,
    readout_spec,
)

MAGIC, VERSION = b"SPKSQ\r\n\x1a", 1
Spec = dict[str, tuple[str, tuple[int, ...]]]
_HEAD = struct.Struct("<8sII")


def encode(settings: Settings, layers: Sequence[LayerArrays | Int8Arrays], readout: ReadoutArrays | None) -> bytes:
    """Return the file's content."""
    header = {
        "settings": asdict(settings),
        "layers": [[len(a.input_rows), len(a.recurrent_rows), a.bias is not None] for a in layers],
        "readout": readout and [readout.rows.shape[1], readout.bias is not None, readout.pooling],
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


def _bytes(arrays: Any) -> bytes:
    """All arrays of a layer or readout, in order; little-endian."""
    found = [a for a in arrays if isinstance(a, np.ndarray)]
    return b"".join(a.astype(a.dtype.newbyteorder("<")).tobytes() for a in found)


def _build(header: Any, data: bytes) -> tuple[Settings, list[LayerArrays | Int8Arrays], ReadoutArrays | None]:
    """Header and numbers -> settings and arrays; Program checks them."""
    place = 0

    def take(spec: Spec, missing: set[str]) -> dict[str, Any]:
        nonlocal place
        found: dict[str, Any] = dict.fromkeys(missing)
        for name, (kind, shape) in spec.items():
            if name in missing:
                continue
            size = int(np.prod(shape, dtype=object)) * np.dtype(kind).itemsize
            if size < 1 or size > len(data) - place:
                raise ValueError("sizes and content differ")
            found[name] = np.frombuffer(data[place : place + size], kind).reshape(shape)
            place += size
        return found

    settings = Settings(**header["settings"])
    check_settings(settings)
    eight = settings.weights == "int8"
    layers: list[LayerArrays | Int8Arrays] = []
    for number, (width, hidden, biased) in enumerate(header["layers"]):
        missing = (set() if biased else {"bias"}) | ({"input_scale"} if eight and number else set())
        found = take(layer_spec(settings, width, hidden), missing)
        layers.append(Int8Arrays(**found) if eight else LayerArrays(**found))
    readout = None
    if header["readout"]:
        outputs, biased, pooling = header["readout"]
        missing = (set() if biased else {"bias"}) | (set() if eight else {"scale"})
        spec = readout_spec(settings, len(layers[-1].clip), outputs)
        readout = ReadoutArrays(**take(spec, missing), pooling=pooling)
    if place != len(data):
        raise ValueError("sizes and content differ")
    return settings, layers, readout
