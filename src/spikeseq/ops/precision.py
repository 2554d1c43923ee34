"""Full precision inside mixed-precision training: what counts spikes or carries a state along a sequence.

bfloat16 has 8 significant bits. A membrane, a threshold or a preactivation rounded to that moves spikes, and the error stays
in the state; so neurons and recurrences run in float32, and ``torch.autocast`` acts on what is around them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

F = TypeVar("F", bound=Callable[..., Any])
_LOW = (torch.bfloat16, torch.float16)


def full_precision(function: F) -> F:
    """Run a function without autocast; where it is on, arguments of half precision come in as float32.

    The device is that of the first tensor among the arguments; tensors inside tuples (states) are cast as well. Where
    autocast is off nothing is done: a model that is bfloat16 as a whole stays so.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        device = next((a.device.type for a in (*args, *kwargs.values()) if isinstance(a, Tensor)), None)
        if device is None or not torch.is_autocast_enabled(device):
            return function(*args, **kwargs)
        with torch.autocast(device, enabled=False):
            return function(*map(_widen, args), **{name: _widen(value) for name, value in kwargs.items()})

    return cast(F, run)


def _widen(value: Any) -> Any:
    """A float32 tensor, or a tuple of them, for one of half precision; anything else as it is."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in _LOW else value
    if not isinstance(value, tuple):
        return value
    fields = tuple(_widen(field) for field in value)
    return fields if type(value) is tuple else type(value)(*fields)  # a NamedTuple
