"""Keep freed memory in the process while it trains: fewer page faults, the same results.

A training step frees its activations and asks for as much again a moment later. glibc hands blocks of megabytes back to the
system each time (``M_MMAP_THRESHOLD``, ``M_TRIM_THRESHOLD``, mallopt(3)), which has to fill them with zeros anew: up to a
third of a step on a CPU (docs/experiments.md, session 7).
"""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # mallopt(3)


def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed; whether it was told.

    Holds for the process from now on. Nothing is done where the C library is another one, or where the environment has
    settings of malloc already (``MALLOC_*``, ``GLIBC_TUNABLES``).
    """
    if "GLIBC_TUNABLES" in os.environ or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018, it is looked up: other libraries do not have it
        return bool(library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)) and bool(library.mallopt(_MMAP_MAX, 0))
    except (OSError, AttributeError, TypeError):  # TypeError: CDLL(None) on Windows
        return False
