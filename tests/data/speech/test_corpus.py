"""A corpus as folder or archive, verified, and what is kept of it: made once, whole, and anew when the corpus changes."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import pytest

from spikeseq.data.sources import DataFile
from spikeseq.data.speech import corpus as corpora
from spikeseq.data.speech.corpus import find_corpus, kept, members, state_of, verify_archive
from spikeseq.errors import DataError

FILES = {"top/b/2.txt": b"two", "top/a/1.txt": b"one", "top/a/skip.me": b"x"}


def text_name(name: str) -> str | None:
    return name.rpartition("/")[2] if name.endswith(".txt") else None


def test_folder_and_archive_hold_the_same(tmp_path: Path, tar_gz) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(tar_gz({f"./{name}": content for name, content in FILES.items()}))
    assert list(members(tmp_path / "top", text_name)) == [("1.txt", b"one"), ("2.txt", b"two")]
    assert sorted(members(archive, text_name)) == [("1.txt", b"one"), ("2.txt", b"two")]
    assert next(members(archive, lambda name: name))[0] == "top/b/2.txt"  # no "./", in the order of the archive


@pytest.mark.parametrize("cut", [30, 3000, -20_000])
def test_damaged_archives_are_named(tmp_path: Path, tar_gz, cut: int) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(tar_gz({"a.txt": os.urandom(40_000)})[:cut])
    with pytest.raises(DataError, match=r"a\.tar\.gz is no tar archive, or is damaged: .*Remedy"):
        list(members(archive, text_name))
    archive.write_bytes(b"<html>log in first</html>")
    with pytest.raises(DataError, match="no tar archive"):
        list(members(archive, text_name))


@pytest.mark.parametrize("packed", [True, False], ids=["tar.gz", "tar"])
def test_nothing_else_is_read_from_a_damaged_archive(tmp_path: Path, tar_gz, packed: bool) -> None:
    """Every bit of a packed one; of a plain one, which has checksums of its headers alone, those."""
    original = tar_gz({"a.txt": b"one" * 50, "b.txt": b"two" * 50})
    original = original if packed else gzip.decompress(original)
    archive, wanted = tmp_path / "a", [("a.txt", b"one" * 50), ("b.txt", b"two" * 50)]
    places = range(len(original)) if packed else [*range(500), *range(1024, 1524)]
    refused = 0
    for place in places:
        damaged = bytearray(original)
        damaged[place] ^= 1 << place % 8
        archive.write_bytes(damaged)
        try:
            found = list(members(archive, text_name))
        except DataError:
            refused += 1
        else:
            assert found == wanted, place
    assert refused > 0.7 * len(places)  # the time and the name in its head are nobody's loss


def test_a_member_beyond_the_limit_is_not_read(tmp_path: Path, tar_gz, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "MAX_MEMBER", 10)
    (tmp_path / "a.tar.gz").write_bytes(tar_gz({"a.txt": bytes(11)}))
    with pytest.raises(DataError, match=r"a\.txt takes 11 bytes; at most 10"):
        list(members(tmp_path / "a.tar.gz", text_name))


def test_the_published_checksum_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(b"content")
    digest = hashlib.md5(b"content").hexdigest()
    verify_archive(path, DataFile("toy", "a.tar.gz", None, served=f"md5:{digest}"))
    verify_archive(path, DataFile("toy", "a.tar.gz", None))
    verify_archive(tmp_path, DataFile("toy", "a.tar.gz", None, served="md5:0"))  # a folder has none
    with pytest.raises(DataError, match=rf"a\.tar\.gz is corrupt or truncated: expected md5:00, found md5:{digest}"):
        verify_archive(path, DataFile("toy", "a.tar.gz", None, served="md5:00"))


def test_folder_before_archive_before_download(empty_machine: Path, corpus, server, tar_gz) -> None:
    packed = tar_gz({"a.txt": b"a"})
    file = DataFile("toy", "a.tar.gz", None, url=server.url, served=f"md5:{hashlib.md5(packed).hexdigest()}")
    server.content = packed
    assert find_corpus("toy", "In/side", file) == empty_machine / "toy" / "a.tar.gz"
    data = corpus({"toy/a.tar.gz": packed})
    assert find_corpus("toy", "In/side", file) == data / "toy" / "a.tar.gz"
    corpus({"In/side/a.txt": b""})
    assert find_corpus("toy", "In/side", file) == data / "In" / "side"
    corpus({"toy/In/side/a.txt": b""})
    assert find_corpus("toy", "In/side", file) == data / "toy" / "In" / "side"
    assert server.requests == 1


def test_kept_is_made_once_for_each_key(empty_machine: Path) -> None:
    made = []

    def build(folder: Path) -> None:
        made.append(1)
        (folder / "x").write_text("x")

    first = kept("toy", {"a": 1}, build)
    assert first.parent == empty_machine / "toy"
    assert (first / "x").read_text() == "x"
    assert kept("toy", {"a": 1}, build) == first
    assert kept("toy", {"a": 2}, build) != first
    assert len(made) == 2


def test_nothing_is_kept_of_what_failed(empty_machine: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "x").write_text("half")
        raise DataError("bad audio")

    with pytest.raises(DataError, match="bad audio"):
        kept("toy", {}, build)
    assert list((empty_machine / "toy").iterdir()) == []


def test_of_two_that_build_at_once_one_stays(empty_machine: Path) -> None:
    def slow(folder: Path) -> None:
        kept("toy", {}, lambda quick: (quick / "x").write_text("first"))
        (folder / "x").write_text("second")

    assert (kept("toy", {}, slow) / "x").read_text() == "first"
    assert len(list((empty_machine / "toy").iterdir())) == 1


def test_the_state_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    before = state_of(tmp_path)
    assert state_of(tmp_path) == before
    os.utime(tmp_path / "a", ns=(1, 1))
    touched = state_of(tmp_path)
    (tmp_path / "b").write_text("")
    assert len({str(s) for s in (before, touched, state_of(tmp_path))}) == 3
