"""AEDAT 3.1 and N-MNIST files: written here bit by bit, read back; whatever is cut off or damaged is refused."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.data.events.aedat import parse_aedat
from spikeseq.data.events.atis import parse_bin
from spikeseq.errors import DataError

HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"


def packet(events, kind=1, overflow=0, capacity=None, size=8, number=None):
    """Events (x, y, p, t, valid) as a packet, padded to its capacity."""
    capacity = len(events) if capacity is None else capacity
    head = struct.pack("<hhiiiiii", kind, 1, size, 4, overflow, capacity, len(events) if number is None else number, 0)
    body = b"".join(struct.pack("<Ii", x << 17 | y << 2 | p << 1 | valid, t) for x, y, p, t, valid in events)
    return head + body.ljust(capacity * size, b"\xff")


def rows(events):
    return list(zip(*(a.tolist() for a in events), strict=True))


def test_aedat():
    first = [(3, 127, 1, 100, 1), (0, 5, 0, 90, 1), (9, 9, 1, 95, 0)]  # out of order; the last is not valid
    other = packet([(1, 1, 1, 1, 1)], kind=0)  # special events are skipped
    second = packet([(127, 0, 0, 7, 1)], overflow=2, capacity=5)  # room for more
    found = parse_aedat(HEADER + packet(first) + other + second, "a.aedat")
    assert rows(found) == [(0, 5, 0, 90), (3, 127, 1, 100), (127, 0, 0, 7 + (2 << 31))]
    assert found.t.dtype == np.int64


event = st.tuples(st.integers(0, 2**15 - 1), st.integers(0, 2**15 - 1), st.integers(0, 1), st.integers(0, 2**31 - 1))


@given(st.lists(st.lists(event, max_size=5), max_size=4))
def test_aedat_round_trip(packets):
    content = HEADER + b"".join(packet([(*e, 1) for e in events]) for events in packets)
    expected = sorted((e for events in packets for e in events), key=lambda e: e[3])
    assert rows(parse_aedat(content, "a")) == expected


def test_aedat_without_a_packet():
    assert rows(parse_aedat(HEADER, "a")) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"a.aedat starts with b''; an AEDAT 3.1 file with b'#!AER-DAT3.1'"),
        (b"#!AER-DAT2.0\r\n#!END-HEADER\r\n", "starts with b'#!AER-DAT2.0"),
        (b"#!AER-DAT3.1\r\n#Format: RAW\r\n", "has no line #!END-HEADER"),
        (b"#!AER-DAT3.1\r\n#!END-HEADER", "has no line #!END-HEADER"),
        (HEADER + packet([(1, 2, 0, 3, 1)])[:-1], "is cut off: its last packet wants 8 bytes"),
        (HEADER + packet([])[:20], "is cut off: 20 bytes of a packet's header"),
        (HEADER + packet([(1, 2, 0, 3, 1)], number=2), "damaged at byte .*: a packet of 2 in 1 events of 8 bytes"),
        (HEADER + packet([(1, 2, 0, 3, 1)], size=16, capacity=1), "events of 16 bytes"),
        (HEADER + packet([], capacity=-1), "damaged at byte"),
        (HEADER + packet([], overflow=-1), "damaged at byte"),
    ],
)
def test_what_is_no_aedat(content, words):
    with pytest.raises(DataError, match=words):
        parse_aedat(content, "a.aedat")


@given(st.binary(max_size=80))
def test_any_bytes_behind_a_header_give_events_or_a_clear_error(content):
    with contextlib.suppress(DataError):
        parse_aedat(HEADER + content, "a")


def test_nmnist_file():
    content = bytes([33, 2, 0x80 | 0x01, 0x02, 0x03, 4, 5, 0x7F, 0xFF, 0xFF])
    assert rows(parse_bin(content, "b")) == [(33, 2, 1, 0x010203), (4, 5, 0, 2**23 - 1)]
    assert rows(parse_bin(b"", "b")) == []
    with pytest.raises(DataError, match="b has 7 bytes, no multiple of 5"):
        parse_bin(content[:7], "b")
