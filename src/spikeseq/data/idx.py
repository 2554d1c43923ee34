"""The idx file format of MNIST: a magic number, the sizes of the axes, then the bytes.

::

    0, 0, 8, D            magic: element type 8 = unsigned byte, number of axes D
    D x uint32            size of each axis, big endian
    uint8 ...             the elements, last axis fastest

Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits", section "file formats".
"""

from __future__ import annotations

import math
import struct

import numpy as np

from spikeseq.data.verify import REMEDY
from spikeseq.errors import DataError


def parse_idx(content: bytes, name: str, axes: int) -> np.ndarray:
    """Return the uint8 array with that many axes; DataError, naming the file, when content is anything else."""
    magic = bytes((0, 0, 8, axes))
    start = 4 + 4 * axes
    if content[:4] != magic:
        raise DataError(f"{name} starts with {content[:4]!r}; an idx file of {axes} axes with {magic!r}. {REMEDY}")
    if len(content) < start:
        raise DataError(f"{name} is truncated: {len(content)} bytes, its header alone takes {start}. {REMEDY}")
    sizes = struct.unpack(f">{axes}I", content[4:start])
    if len(content) - start != math.prod(sizes):
        raise DataError(
            f"{name} holds {len(content) - start} elements; its header promises {list(sizes)}, "
            f"that is {math.prod(sizes)}. {REMEDY}"
        )
    # a copy: an array on bytes is read-only, and tensors are not
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes).copy()
