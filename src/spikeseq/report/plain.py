"""Plain values: what a record may hold, so that JSON gives back exactly what went in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikeseq.errors import ConfigError


def plain(value: Any, where: str) -> Any:
    """Copy `value` as None, bool, int, float, str, list and dict only; `where` is its key in messages.

    NumPy scalars become Python numbers, tuples become lists.

    Raises:
        ConfigError: NaN or infinity, an accuracy outside [0, 1], a dict key that is not text, or another type.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.generic):
        return plain(value.item(), where)
    if isinstance(value, int | float):
        return _number(value, where)
    if isinstance(value, Mapping):
        return {_text_key(key, where): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    remedy = "a record holds numbers, text, lists and dicts: convert it first (.item(), .tolist(), str)"
    raise ConfigError(f"{where} is a {type(value).__name__}; {remedy}")


def _number(value: int | float, where: str) -> int | float:
    if not math.isfinite(value):
        raise ConfigError(
            f"{where} is {value}: a record holds finite numbers only; leave the key out if it has no value"
        )
    # a percentage among fractions would turn every mean wrong without a sound
    if where.endswith("accuracy") and not 0 <= value <= 1:
        raise ConfigError(f"{where} is {value}: an accuracy is a fraction in [0, 1], not a percentage")
    return value


def _text_key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise ConfigError(f"{where} has the key {key!r}: keys are text, use {str(key)!r}")
    return key
