"""Errors a user can cause: each message names the argument, the value it had and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SpikeseqError(Exception):
    """Base of every error that spikeseq raises on purpose."""


class ConfigError(SpikeseqError, ValueError):
    """A setting, argument or recipe key has a value that cannot work."""


class ShapeError(SpikeseqError, ValueError):
    """A tensor does not have the shape, length or dtype that was promised."""


class DataError(SpikeseqError, ValueError):
    """Data is missing, corrupt, empty or not finite."""


class ConversionError(SpikeseqError, TypeError):
    """A module cannot be converted; the message names the module."""


class CheckpointError(SpikeseqError, RuntimeError):
    """A checkpoint or record cannot be read, or belongs to another model."""


class CompilerError(SpikeseqError, RuntimeError):
    """Steps were to be compiled in any case, and this machine's compiler is missing or fails."""


class LostProcessError(SpikeseqError, RuntimeError):
    """A process that works together with this one was killed or does not answer."""


def nearest(word: str, valid: Iterable[str]) -> str:
    """Return the remedy for a misspelt name: the closest valid one, then all of them."""
    names = sorted(valid)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}valid: {', '.join(names)}"
