"""Checks on the options of a data set; each failure names the option, its value and what is valid."""

from __future__ import annotations

import numpy as np

from spikeseq.errors import ConfigError, nearest

MAX_SEED = 2**63 - 1


def check_choice(option: str, value: object, valid: tuple[object, ...]) -> None:
    """Raise ConfigError unless value is one of valid."""
    if value not in valid:
        raise ConfigError(f"{option}={value!r} is not valid; {nearest(str(value), map(str, valid))}")


def check_integer(option: str, value: object, low: int, high: int) -> None:
    """Raise ConfigError unless value is an integer (no bool) with low <= value <= high."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise ConfigError(f"{option}={value!r} is not valid; use an integer from {low} to {high}")
