"""A failing disk leaves the old file and nothing else, for every writer of the package."""

import builtins
import errno
import os
import stat
from pathlib import Path

import pytest

from spikeseq.report.atomic import write_atomic
from spikeseq.report.figure import blank, save_png
from spikeseq.report.page import Text, write_page
from spikeseq.report.record import new_record, write_record

WRITERS = {
    "bytes": lambda path: write_atomic(path, b"new"),
    "record": lambda path: write_record(new_record("train", "a/b", config={}, seed=0, metrics={}, seconds=1), path),
    "png": lambda path: save_png(blank()[0], path),
    "page": lambda path: write_page(path, "title", [Text("new")]),
}


def _break_replace(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EACCES, "refused")

    monkeypatch.setattr(os, "replace", refuse)


def _break_write(monkeypatch):
    """Let the disk take half of the bytes, then be full."""
    real_open = builtins.open

    def full_disk(file, mode="r", *rest, **options):
        opened = real_open(file, mode, *rest, **options)
        if "x" not in mode:
            return opened

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                opened.close()

            def write(self, data):
                opened.write(data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

        return Full()

    monkeypatch.setattr(builtins, "open", full_disk)


def _break_fsync(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fsync", refuse)


@pytest.mark.parametrize("breakage", [_break_replace, _break_write, _break_fsync])
@pytest.mark.parametrize("writer", WRITERS)
def test_failure_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch, writer, breakage):
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    breakage(monkeypatch)
    with pytest.raises(OSError):  # noqa: PT011  three kinds of breakage, three messages
        WRITERS[writer](path)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["kept"]


def test_interrupt_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "new", b"data")
    assert os.listdir(tmp_path) == []


def test_data_reach_the_disk_before_the_name_changes(tmp_path, monkeypatch):
    order = []
    real_fsync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("fsync"), real_fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append(Path(a).parent), real_replace(a, b)))
    write_atomic(tmp_path / "file", b"data")
    assert order == ["fsync", tmp_path]  # renamed inside one folder: across file systems a rename is no atom


def test_new_file_follows_the_umask_and_folders_are_made(tmp_path):
    old = os.umask(0o022)
    try:
        path = write_atomic(tmp_path / "a" / "b" / "file", b"data")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.read_bytes() == b"data"
