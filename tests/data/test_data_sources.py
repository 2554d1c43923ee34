"""Finding and downloading files: order of the folders, interruption, nothing anywhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from spikeseq.data import load, sources
from spikeseq.data.sources import DataFile, find, locate
from spikeseq.data.verify import read
from spikeseq.errors import DataError

CONTENT = bytes(range(256)) * 40
PACKED = gzip.compress(CONTENT, mtime=0)


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


FILE = DataFile("toy", "a.gz", md5(CONTENT), len(CONTENT))


def put(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("member", CONTENT)
    return buffer.getvalue()


def test_environment_folder_comes_before_the_cache(
    empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find(FILE) is None
    cached = put(empty_machine / "toy", "a.gz", PACKED)
    assert find(FILE) == cached
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    assert find(FILE) == cached
    own = put(tmp_path / "toy", "a.gz", PACKED)
    assert find(FILE) == own


def test_environment_variable_that_names_no_folder(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, "/no/such/folder")
    with pytest.raises(DataError, match=r"SPIKESEQ_DATA='/no/such/folder' is not a folder"):
        load("mnist")


def test_download_is_kept_and_used_again(empty_machine: Path, server) -> None:
    server.content = PACKED
    file = replace(FILE, url=server.url, served=md5(PACKED))
    assert read(file) == read(file) == CONTENT
    assert server.requests == 1
    assert locate(file) == empty_machine / "toy" / "a.gz"


@pytest.mark.parametrize(
    ("content", "sent"),
    [(PACKED, 50), (PACKED, 0), (PACKED + b"x", None), (b"<html>log in first</html>", None)],
)
def test_interrupted_or_wrong_download_leaves_nothing(
    empty_machine: Path, server, content: bytes, sent: int | None
) -> None:
    server.content, server.sent = content, sent
    with pytest.raises(DataError, match=r"the download from http://127.* failed: .*Remedy: set SPIKESEQ_DATA"):
        read(replace(FILE, url=server.url, served=md5(PACKED)))
    assert list((empty_machine / "toy").iterdir()) == []


@pytest.mark.parametrize("content", [zipped()[:-30], b"<html>log in first</html>"])
def test_incomplete_zip_without_a_known_checksum_leaves_nothing(empty_machine: Path, server, content: bytes) -> None:
    server.content = content
    with pytest.raises(DataError, match="not a complete zip archive"):
        read(DataFile("toy", "a.zip", checksum=None, url=server.url))
    assert list((empty_machine / "toy").iterdir()) == []


def test_sha256_of_a_download_without_a_known_checksum_is_recorded_and_compared(empty_machine: Path, server) -> None:
    server.content = zipped()
    file = DataFile("toy", "a.zip", checksum=None, url=server.url)
    assert read(file) == zipped()
    digest = f"sha256:{hashlib.sha256(zipped()).hexdigest()}"
    assert (empty_machine / "toy" / "a.zip.sha256").read_text() == f"{digest}\n"
    put(empty_machine / "toy", "a.zip", zipped().replace(CONTENT[:9], CONTENT[1:10]))
    with pytest.raises(DataError, match=f"a.zip is corrupt or truncated: expected {digest}, found sha256:"):
        read(file)


HOLDS = {"mnist": "mnist/train-images-idx3-ubyte.gz", "uci_har": "UCI HAR Dataset.zip or har_windows_train.npz and "}


@pytest.mark.parametrize("name", HOLDS)
def test_nothing_anywhere_says_where_it_looked_and_what_to_do(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sources, "download", Mock(side_effect=ConnectionError("no network")))
    with pytest.raises(DataError) as caught:
        load(name)
    message = str(caught.value)
    expected = (f"data set {name!r}", str(empty_machine / name), "SPIKESEQ_DATA is not set", "no network", HOLDS[name])
    for part in (*expected, "Remedy: set SPIKESEQ_DATA", "or go online", "data=digits"):
        assert part in message


def test_file_without_an_address_is_not_said_to_be_online(empty_machine: Path) -> None:
    with pytest.raises(DataError, match=r"har_windows_train.npz not found.*no address") as caught:
        load("uci_har", variant="prepared")
    assert "go online" not in str(caught.value)
