"""Reading a data file: the bytes that are checked are the bytes that are used."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

from spikeseq.data.sources import DataFile, locate, record_path
from spikeseq.errors import DataError

REMEDY = "Remedy: replace the file by an intact copy, or delete it to have it looked for elsewhere or downloaded anew"
LARGEST = 2**30  # bytes that a file whose size nobody has published may hold after decompression
_GZIP = 16 + zlib.MAX_WBITS  # window bits that tell zlib to expect a gzip header


def read(file: DataFile) -> bytes:
    """Return the content of a data file, decompressed when its name ends in .gz.

    Without a checksum of the content, the file itself must be the one that is served, where that is known.
    Raises DataError when the file is missing, cannot be read, or does not have the size and checksum it should.
    """
    path = locate(file)
    try:
        raw = path.read_bytes()
        expected = file.checksum or _recorded(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}. {REMEDY}") from error
    if file.checksum is None and file.served is not None:
        _compare(raw, file.served, None, path)
    content = _decompress(raw, file, path) if file.name.endswith(".gz") else raw
    if expected is not None:
        _compare(content, expected, file.size, path)
    return content


def checksum(content: bytes, algorithm: str) -> str:
    """Return "<algorithm>:<hexadecimal digest>"."""
    return f"{algorithm}:{hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()}"


def _decompress(raw: bytes, file: DataFile, path: Path) -> bytes:
    # never more than one byte beyond the promised size, whatever the file claims
    limit = (LARGEST if file.size is None else file.size) + 1
    stream = zlib.decompressobj(_GZIP)
    try:
        content = stream.decompress(raw, limit)
    except zlib.error as error:
        raise DataError(
            f"{path} is corrupt: expected {file.checksum} after decompression, "
            f"found {checksum(raw, 'md5')} before it, which cannot be decompressed ({error}). {REMEDY}"
        ) from error
    if file.checksum is None and (len(content) == limit or not stream.eof):  # else the checksum differs
        what = f"more than {limit - 1} bytes" if len(content) == limit else "a gzip stream without its end"
        raise DataError(f"{path} is corrupt or truncated: it holds {what}. {REMEDY}")
    return content


def _compare(content: bytes, expected: str, size: int | None, path: Path) -> None:
    found = checksum(content, expected.partition(":")[0])
    if found != expected:
        promised = "" if size is None else f" ({size} bytes)"
        raise DataError(
            f"{path} is corrupt or truncated: expected {expected}{promised}, "
            f"found {found} ({len(content)} bytes). {REMEDY}"
        )


def _recorded(path: Path) -> str | None:
    """Return the checksum noted when the file was downloaded; None when it did not come that way."""
    record = record_path(path)
    if not record.is_file():
        return None
    noted = record.read_text(encoding="ascii").strip()
    if not noted.startswith("sha256:"):
        raise ValueError(f"{record.name} beside it does not hold a sha256; delete both")
    return noted
