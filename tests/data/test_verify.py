"""Verifying files: any gzip wrapper is fine, any damage is named."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
from pathlib import Path

import pytest

from spikeseq.data import verify
from spikeseq.data.sources import DataFile
from spikeseq.data.verify import read
from spikeseq.errors import DataError

CONTENT = bytes(range(256)) * 40
PACKED = gzip.compress(CONTENT, mtime=0)
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
FILE = DataFile("toy", "a.gz", MD5, len(CONTENT))


def put(folder: Path, content: bytes) -> Path:
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / "a.gz").write_bytes(content)
    return folder / "toy" / "a.gz"


@pytest.mark.parametrize("level", [0, 1, 9])
def test_any_gzip_wrapper_of_the_content_is_read(empty_machine: Path, level: int) -> None:
    put(empty_machine, gzip.compress(CONTENT, level))
    assert read(FILE) == CONTENT


@pytest.mark.parametrize(
    "damaged",
    [
        PACKED[:-200],
        PACKED[:5],
        b"",
        gzip.compress(CONTENT[:-1]),
        gzip.compress(CONTENT + b"x"),
        gzip.compress(b"x" + CONTENT[1:]),
        PACKED[:40] + bytes([PACKED[40] ^ 255]) + PACKED[41:],
        b"<html>not found</html>",
    ],
)
def test_damaged_file_is_named_with_both_checksums_and_a_remedy(empty_machine: Path, damaged: bytes) -> None:
    path = put(empty_machine, damaged)
    with pytest.raises(DataError, match=r"(?s)expected md5:[0-9a-f]{32}.*found md5:[0-9a-f]{32}.*Remedy: ") as caught:
        read(FILE)
    assert str(path) in str(caught.value)
    assert MD5 in str(caught.value)


def test_decompression_stops_just_beyond_the_promised_size(empty_machine: Path) -> None:
    put(empty_machine, gzip.compress(bytes(10**7)))
    with pytest.raises(DataError, match=rf"\({len(CONTENT) + 1} bytes\)"):
        read(FILE)


def test_without_a_checksum_of_the_content(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file must be the one that is served; where nobody says which that is, whole and not too large."""
    path = put(empty_machine, PACKED)
    unknown = DataFile("toy", "a.gz", None)
    served = dataclasses.replace(unknown, served=f"md5:{hashlib.md5(PACKED).hexdigest()}")
    assert read(unknown) == read(served) == CONTENT
    for damaged in (PACKED[:-1], PACKED[: len(PACKED) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="it holds a gzip stream without its end"):
            read(unknown)
        with pytest.raises(DataError, match=f"expected {served.served}, found md5:"):
            read(served)
    monkeypatch.setattr(verify, "LARGEST", len(CONTENT) - 1)
    path.write_bytes(PACKED)
    with pytest.raises(DataError, match=f"it holds more than {len(CONTENT) - 1} bytes"):
        read(unknown)
