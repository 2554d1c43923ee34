"""Text that a person gives a command: as an argument, or through standard input."""

from __future__ import annotations

import sys

from spikeseq.errors import DataError


def given(text: str, name: str) -> str:
    """The text itself, or what standard input holds where it is "-".

    Raises DataError, which calls it ``name``, for what is no UTF-8, or empty.
    """
    content = sys.stdin.buffer.read() if text == "-" else text.encode("utf-8", "surrogateescape")
    try:
        found = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is no UTF-8 ({error}); save it as UTF-8") from error
    if not found.strip():
        raise DataError(f"{name} is empty: pass at least one word")
    return found
