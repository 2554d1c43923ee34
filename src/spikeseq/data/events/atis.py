r"""The binary files of N-MNIST: 40 bits for an event, nothing else.

::

    bits 39-32  column      31-24  row      23  polarity      22-0  microseconds, big endian

Source: Orchard et al. (2015), doi:10.3389/fnins.2015.00437, "dataset format".
"""

from __future__ import annotations

import numpy as np

from spikeseq.data.events.frames import Events
from spikeseq.errors import DataError

EVENT_BYTES = 5


def parse_bin(content: bytes, name: str) -> Events:
    """Return the events of a file's content. Raises DataError, naming the file, when it ends inside an event."""
    if len(content) % EVENT_BYTES:
        raise DataError(
            f"{name} has {len(content)} bytes, no multiple of {EVENT_BYTES}: it is cut off or no N-MNIST file"
        )
    raw = np.frombuffer(content, np.uint8).reshape(-1, EVENT_BYTES).astype(np.int64)
    time = (raw[:, 2] & 0x7F) << 16 | raw[:, 3] << 8 | raw[:, 4]
    return Events(raw[:, 0].astype(np.int16), raw[:, 1].astype(np.int16), (raw[:, 2] >> 7).astype(np.int8), time)
