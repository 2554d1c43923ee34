"""A program in one file::

8 bytes   b"SPKSQ\\r\\n\\x1a"     foreign files, and text-mode copies, are told apart by it
4         version                little-endian, as all numbers
4         length of the header
..        header                 JSON: settings, sizes
..        float32 arrays         in the order of Program.layers and Program.readout, without gaps
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
from spikeseq.runtime.arrays import LayerArrays, ReadoutArrays, Settings

MAGIC, VERSION = b"SPKSQ\r\n\x1a", 1
_HEAD = struct.Struct("<8sII")


def encode(settings: Settings, layers: Sequence[LayerArrays], readout: ReadoutArrays | None) -> bytes:
    """Return the file's content."""
    header = {
        "settings": asdict(settings),
        "layers": [[len(a.input_rows), len(a.recurrent_rows), a.bias is not None] for a in layers],
        "readout": readout and [readout.rows.shape[1], readout.bias is not None, readout.pooling],
    }
    text = json.dumps(header).encode()
    arrays = [a for layer in layers for a in layer] + (list(readout[:2]) if readout else [])
    body = b"".join(a.astype("<f4").tobytes() for a in arrays if a is not None)
    content = _HEAD.pack(MAGIC, VERSION, len(text)) + text + body
    return content + struct.pack("<I", zlib.crc32(content))


def decode(data: bytes) -> tuple[Settings, list[LayerArrays], ReadoutArrays | None]:
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
        return _build(header, np.frombuffer(content[_HEAD.size + length :], "<f4"))
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"a header that describes no program ({error}); save it anew") from error


def _build(header: Any, values: Any) -> tuple[Settings, list[LayerArrays], ReadoutArrays | None]:
    """Header and numbers -> settings and arrays; Program checks them."""
    place = 0

    def take(*shape: int) -> Any:
        nonlocal place
        size = int(np.prod(shape, dtype=object))
        if size < 1 or size > len(values) - place:
            raise ValueError("sizes and content differ")
        place += size
        return values[place - size : place].reshape(shape)

    layers = []
    for width, hidden, biased in header["layers"]:
        rows = take(width, 4 * hidden), take(hidden, 4 * hidden)
        bias = take(4 * hidden) if biased else None
        layers.append(LayerArrays(*rows, bias, take(3, hidden), take(hidden)))
    readout = None
    if header["readout"]:
        outputs, biased, pooling = header["readout"]
        rows = take(layers[-1].clip.shape[0], outputs)
        readout = ReadoutArrays(rows, take(outputs) if biased else None, pooling)
    if place != len(values):
        raise ValueError("sizes and content differ")
    return Settings(**header["settings"]), layers, readout
