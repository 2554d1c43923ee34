"""A folder of files that is written whole or not at all, and replaces only what it wrote itself."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from spikeseq.errors import ConfigError

SUMS = "SHA256SUMS"  # as sha256sum -c reads it: tells what was written from what somebody else put there
MARK = "# made by spikeseq export, which may replace these files while they are unchanged"
BUILD = "build"  # of what a build makes from the files


def write_folder(folder: str | Path, files: Mapping[str, bytes]) -> Path:
    """Write ``files`` (name -> content) and their checksums into a new folder, and return its path.

    They go to a temporary folder beside it that is renamed at the end: a reader sees nothing, the earlier export, or all
    files. Missing parents are made.

    Raises:
        ConfigError: the path is a file, or a folder with anything in it that an earlier export did not leave unchanged.
        OSError: the disk refuses; nothing is left behind.
    """
    target = Path(folder).resolve()
    check_replaceable(target)
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in sorted(files.items())]
    sums = "\n".join([MARK, *lines, ""])
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.mkdir()
        for name, data in {**files, SUMS: sums.encode()}.items():
            with open(temporary / name, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        _exchange(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return target


def check_replaceable(target: Path) -> None:
    """Raise ConfigError unless nothing that somebody made would be lost by replacing ``target``."""
    if target.is_dir():
        own = _written(target)
        foreign = [entry.name for entry in sorted(target.iterdir()) if entry.name not in own]
        if foreign and (not own or foreign != [BUILD]):
            raise ConfigError(
                f"folder {str(target)!r} holds {foreign[0]!r}, which no export wrote, or which was changed since: choose "
                "an empty or new folder, or remove it"
            )
    elif target.exists():
        raise ConfigError(f"folder {str(target)!r} is a file: choose an empty or new folder")


def _written(target: Path) -> set[str]:
    """Names of the files that are as an earlier export left them; its list of checksums counts as one."""
    try:
        lines = (target / SUMS).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    if lines[:1] != [MARK]:
        return set()
    sums = (line.partition("  ") for line in lines)
    own = {name for digest, _, name in sums if (target / name).is_file() and _digest(target / name) == digest}
    return own | {SUMS}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _exchange(temporary: Path, target: Path) -> None:
    """Put the new folder where the old one was; the old one comes back if that fails."""
    if not target.exists():
        os.rename(temporary, target)
        return
    old = temporary.with_suffix(".old")
    os.rename(target, old)
    try:
        os.rename(temporary, target)
    except BaseException:
        os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
