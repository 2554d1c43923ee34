"""The idx parser: what it reads and what it refuses."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from spikeseq.data.idx import parse_idx
from spikeseq.errors import DataError


def idx(sizes: tuple[int, ...], elements: bytes, magic: bytes | None = None) -> bytes:
    return (magic or bytes((0, 0, 8, len(sizes)))) + struct.pack(f">{len(sizes)}I", *sizes) + elements


def test_last_axis_runs_fastest_and_the_array_can_be_written() -> None:
    array = parse_idx(idx((2, 3, 4), bytes(range(24))), "f", 3)
    assert np.array_equal(array, np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    array[0] = 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "starts with"),
        (b"\x00\x00", "starts with"),
        (idx((2, 2), bytes(4)), "starts with"),  # labels expected, images given
        (idx((4,), bytes(4), magic=b"\x00\x00\x0d\x01"), "starts with"),  # float elements
        (idx((4,), b"")[:6], "is truncated"),
        (idx((4,), bytes(3)), r"holds 3 elements; its header promises \[4\]"),
        (idx((4,), bytes(5)), "holds 5 elements"),
        (idx((2**32 - 1,), bytes(5)), "holds 5 elements"),
    ],
)
def test_anything_else_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=rf"labels\.gz {reason}.*Remedy: "):
        parse_idx(content, "labels.gz", 1)


def test_sizes_whose_product_is_huge_are_refused_at_once() -> None:
    with pytest.raises(DataError, match="holds 1 elements"):
        parse_idx(idx((2**32 - 1,) * 3, b"x"), "f", 3)
