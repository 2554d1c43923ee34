"""Whole-or-nothing file writes: a reader sees the old file or the new one, never half of one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_atomic(path: str | Path, data: bytes) -> Path:
    """Write `data` to `path` through a temporary file beside it, and return the path.

    Missing parent folders are made. If anything fails, the old file stays as it was, the temporary file is removed
    and the error goes to the caller.

    Raises:
        OSError: the folder cannot be written, the disk is full, or `path` is a folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # not tempfile.mkstemp: its files are readable by their owner only, these follow the umask; the leading dot and
    # the suffix keep them out of *.json
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path
