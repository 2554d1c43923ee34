r"""AEDAT 3.1, the format of DVS128 Gesture: a text header, then packets of events.

::

    #!AER-DAT3.1 ..  lines that begin with "#", the last one "#!END-HEADER"
    packet header    28 bytes, little endian: type int16 (1 = polarity), source int16, then int32: size of an event,
                     offset of its time, overflow of times, capacity, number, valid number
    events           capacity times size bytes, of which number are events: for polarity uint32 data, int32 time
    data             bit 0 valid, bit 1 polarity, bits 2-16 row, bits 17-31 column
    time             microseconds, + 2^31 for each overflow

Source: iniVation, "AEDAT 3.1", docs.inivation.com; written from the description of the format.
"""

from __future__ import annotations

import numpy as np

from spikeseq.data.events.frames import Events
from spikeseq.data.verify import REMEDY
from spikeseq.errors import DataError

VERSION, END = b"#!AER-DAT3.1", b"#!END-HEADER"
POLARITY, EVENT_BYTES = 1, 8
PACKET = np.dtype([("type", "<i2"), ("source", "<i2"), ("size", "<i4"), ("offset", "<i4"), ("overflow", "<i4"),
                   ("capacity", "<i4"), ("number", "<i4"), ("valid", "<i4")])  # fmt: skip


def parse_aedat(content: bytes, name: str) -> Events:
    """Return the valid polarity events of a file's content, in the order of their times.

    Raises DataError, naming the file and the place, when it is another format, cut off or damaged.
    """
    place = _behind_header(content, name)
    parts: list[np.ndarray] = []
    overflows: list[int] = []
    while place < len(content):
        head = _packet(content, place, name)
        place += PACKET.itemsize
        body = int(head["capacity"]) * int(head["size"])
        if place + body > len(content):
            raise DataError(f"{name} is cut off: its last packet wants {body} bytes at byte {place}. {REMEDY}")
        if head["type"] == POLARITY:
            raw = np.frombuffer(content, "<u4", count=2 * int(head["number"]), offset=place).reshape(-1, 2)
            parts.append(raw)
            overflows.append(int(head["overflow"]))
        place += body
    return _events(parts, overflows)


def _behind_header(content: bytes, name: str) -> int:
    """Return where the packets begin."""
    if not content.startswith(VERSION):
        raise DataError(f"{name} starts with {content[:16]!r}; an AEDAT 3.1 file with {VERSION!r}. {REMEDY}")
    end = content.find(END)
    line = content.find(b"\n", end)
    if end < 0 or line < 0:
        raise DataError(f"{name} has no line {END.decode()}; it is cut off in its header. {REMEDY}")
    return line + 1


def _packet(content: bytes, place: int, name: str) -> np.void:
    """Return the header of the packet at ``place``."""
    if place + PACKET.itemsize > len(content):
        raise DataError(
            f"{name} is cut off: {len(content) - place} bytes of a packet's header at byte {place}. {REMEDY}"
        )
    head: np.void = np.frombuffer(content, PACKET, count=1, offset=place)[0]
    sizes = (int(head["size"]), int(head["capacity"]), int(head["number"]))
    wrong = min(sizes) < 0 or sizes[2] > sizes[1] or (sizes[0] != EVENT_BYTES and head["type"] == POLARITY)
    if wrong or int(head["overflow"]) < 0:
        raise DataError(
            f"{name} is damaged at byte {place}: a packet of {sizes[2]} in {sizes[1]} events of {sizes[0]} bytes. {REMEDY}"
        )
    return head


def _events(parts: list[np.ndarray], overflows: list[int]) -> Events:
    raw = np.concatenate(parts) if parts else np.zeros((0, 2), np.uint32)
    over = np.repeat(np.array(overflows, np.int64), [len(part) for part in parts]) if parts else np.zeros(0, np.int64)
    data = raw[:, 0]
    keep = (data & 1).astype(bool)
    time = raw[:, 1].astype(np.int64) + (over << 31)
    order = np.argsort(time[keep], kind="stable")  # packets of several sources may overlap
    data, time = data[keep][order], time[keep][order]
    row, column = data >> 2 & 0x7FFF, data >> 17
    return Events(column.astype(np.int16), row.astype(np.int16), (data >> 1 & 1).astype(np.int8), time)
