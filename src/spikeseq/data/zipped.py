"""Members of zip archives, read with bounds."""

from __future__ import annotations

import zipfile


def member_of(archive: zipfile.ZipFile, member: str, limit: int) -> bytes:
    """Return the bytes of a member, its CRC checked by zipfile; ValueError when it says it is larger than limit."""
    info = archive.getinfo(member)
    if info.file_size > limit:
        raise ValueError(f"{member} takes {info.file_size} bytes; at most {limit} are read")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member} is compressed by method {info.compress_type}; expected stored or deflated")
    return archive.read(info)
