"""A folder is written whole or not at all; what somebody else made stays."""

import os
from pathlib import Path

import pytest

from spikeseq.errors import ConfigError
from spikeseq.export.folder import write_folder

FILES = {"a.txt": b"first", "b.bin": b"\0\1"}
NEWER = {"a.txt": b"second", "c.txt": b""}


def content(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.name != "SHA256SUMS"}


def test_a_new_an_empty_and_an_own_folder(tmp_path):
    assert write_folder(tmp_path / "deep" / "out", FILES) == tmp_path / "deep" / "out"
    assert content(tmp_path / "deep" / "out") == FILES
    (tmp_path / "empty").mkdir()
    assert content(write_folder(tmp_path / "empty", FILES)) == FILES
    (tmp_path / "empty" / "build").mkdir()
    (tmp_path / "empty" / "build" / "a.o").write_bytes(b"made from it")
    assert content(write_folder(str(tmp_path / "empty"), NEWER)) == NEWER
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "empty"]  # no temporary folder is left


def test_through_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_folder(tmp_path / "link", FILES)
    write_folder(tmp_path / "link", NEWER)
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "real") == NEWER


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "build"])
def test_a_foreign_folder_is_refused(tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_bytes(b"mine")
    with pytest.raises(ConfigError, match=f"out' holds '{name}'.*choose an empty or new folder"):
        write_folder(tmp_path / "out", FILES)
    assert content(tmp_path / "out") == {name: b"mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_foreign_list_of_checksums_is_no_leave(tmp_path):
    """A folder of downloads, for example."""
    write_folder(tmp_path / "out", FILES)
    sums = (tmp_path / "out" / "SHA256SUMS").read_text().split("\n", 1)
    assert sums[0].startswith("# made by spikeseq export")
    (tmp_path / "out" / "SHA256SUMS").write_text(sums[1])
    with pytest.raises(ConfigError, match="holds 'SHA256SUMS'"):
        write_folder(tmp_path / "out", NEWER)
    assert content(tmp_path / "out") == FILES


@pytest.mark.parametrize("name", ["a.txt", "new.txt", "SHA256SUMS"])
def test_work_in_an_own_folder_is_not_lost(tmp_path, name):
    write_folder(tmp_path / "out", FILES)
    (tmp_path / "out" / name).write_bytes(b"mine")
    with pytest.raises(ConfigError, match="holds '"):
        write_folder(tmp_path / "out", NEWER)
    assert (tmp_path / "out" / name).read_bytes() == b"mine"


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(ConfigError, match="is a file"):
        write_folder(tmp_path / "out", FILES)
    assert (tmp_path / "out").read_bytes() == b"mine"
    with pytest.raises(OSError, match="out"):
        write_folder(tmp_path / "out" / "below", FILES)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(("name", "at"), [("fsync", 1), ("fsync", 3), ("rename", 1), ("rename", 2)])
def test_when_the_disk_refuses(tmp_path, monkeypatch, there, name, at):
    if there:
        write_folder(tmp_path / "out", FILES)
    calls, real = [], getattr(os, name)

    def fails(*arguments):
        calls.append(arguments)
        if len(calls) == at:
            raise OSError("no space left")
        return real(*arguments)

    monkeypatch.setattr(os, name, fails)
    if name == "rename" and at == 2 and not there:
        assert content(write_folder(tmp_path / "out", NEWER)) == NEWER  # one rename is enough
        return
    with pytest.raises(OSError, match="no space left"):
        write_folder(tmp_path / "out", NEWER)
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if there else [])
    assert not there or content(tmp_path / "out") == FILES
