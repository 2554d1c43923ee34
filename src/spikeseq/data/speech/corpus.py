"""A corpus as it is handed out: a folder, or the tar archive of it; and features that were computed once and kept."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from spikeseq.data import sources
from spikeseq.data.sources import DataFile, data_folders, find, locate
from spikeseq.data.verify import REMEDY
from spikeseq.errors import DataError

MAX_MEMBER = 256 * 2**20  # bytes; the longest recording of any corpus here takes less than a tenth
_CHUNK = 2**20
GZIP = b"\x1f\x8b"  # how a file of gzip begins


def find_corpus(dataset: str, folder: str, archive: DataFile) -> Path:
    """Return the folder <data>/<dataset>/<folder> or <data>/<folder>, else the archive, which is downloaded where it can be.

    Raises DataError when there is none of these.
    """
    for data in data_folders():
        for path in (data / dataset / folder, data / folder):
            if path.is_dir():
                return path
    found = find(archive)
    return locate(archive) if found is None else found


def members(path: Path, name: Callable[[str], str | None]) -> Iterator[tuple[str, bytes]]:
    """Files of a folder (in order of their names) or of a tar archive (in its own order, nothing is unpacked to disk).

    name   file -> what it is called here, or None to leave it out; files are given with forward slashes, without "./"
    Yields (name, content). Raises DataError for a damaged archive; what only a checksum shows, behind the last file.
    """
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            called = name(file.relative_to(path).as_posix()) if file.is_file() else None
            if called is not None:
                yield called, file.read_bytes()
        return
    try:
        with path.open("rb") as raw, _unpacked(raw) as content, tarfile.open(fileobj=content, mode="r|*") as archive:
            for member in archive:
                called = name(member.name.removeprefix("./")) if member.isfile() else None
                if called is None:
                    continue
                if member.size > MAX_MEMBER:
                    raise DataError(f"{path}: {member.name} takes {member.size} bytes; at most {MAX_MEMBER} are read")
                stream = archive.extractfile(member)
                assert stream is not None  # of a plain file it never is
                yield called, stream.read()
            _to_the_end(archive, path)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{path} is no tar archive, or is damaged: {error}. {REMEDY}") from error


def _unpacked(file: BinaryIO) -> Any:
    """The archive's content, checked by gzip's own CRC where it is gzip: tarfile does not look at it."""
    packed = file.read(len(GZIP)) == GZIP
    file.seek(0)
    return gzip.open(file) if packed else contextlib.nullcontext(file)


def _to_the_end(archive: tarfile.TarFile, path: Path) -> None:
    """Read what is left, so that checksums are compared. Raises DataError where it is not empty: a header was damaged."""
    stream: Any = archive.fileobj
    while chunk := stream.read(_CHUNK):
        if chunk.strip(b"\0"):
            raise DataError(f"{path} is damaged: there is more behind what should be its last file. {REMEDY}")


def text(content: bytes, name: str, encoding: str = "utf-8") -> str:
    """Return a file's text. Raises DataError, naming it, when it is none."""
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is no {encoding} text, or is damaged: {error}. {REMEDY}") from error


def verify_archive(path: Path, archive: DataFile) -> None:
    """Compare an archive's published checksum. Raises DataError when it differs; a folder or no checksum: nothing is done."""
    if path.is_dir() or archive.served is None:
        return
    algorithm, _, expected = archive.served.partition(":")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != expected:
        raise DataError(
            f"{path} is corrupt or truncated: expected {archive.served}, found {algorithm}:{digest.hexdigest()}. {REMEDY}"
        )


def state_of(path: Path) -> dict[str, object]:
    """What changes when a corpus changes: its place, and number, sizes and times of its files."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    marks = sorted((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return {"path": str(path.resolve()), "files": hashlib.sha256(repr(marks).encode()).hexdigest()}


def kept(dataset: str, key: Mapping[str, object], build: Callable[[Path], None]) -> Path:
    """Return the folder with the files that ``build(folder)`` wrote for this key, whole: made once, in the cache.

    key   plain values; everything that the files depend on
    """
    text = json.dumps(key, sort_keys=True)
    folder = sources.cache_folder() / dataset / f"features-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        made = Path(unfinished) / "made"
        made.mkdir()
        build(made)
        (made / "key.json").write_text(text + "\n", encoding="ascii")
        try:
            os.rename(made, folder)
        except OSError:  # another process was faster: what it made is the same
            if not folder.is_dir():
                raise
            shutil.rmtree(made)
    return folder
