"""The state of a stack of layers: from one NamedTuple of ``[D, B, ..]`` to a tuple for each pass, and back.

D = layers x directions. A kind whose input has a state (``input_state``) keeps it in the last field, ``[directions, B, I]``:
only the passes of the first layer have one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spikeseq.errors import ShapeError
from spikeseq.nn.kinds import Kind


def state_tensors(state: Any) -> tuple[Tensor, ...]:
    """The tensors of a state: one, or a tuple or list of them. Raises ShapeError for anything else."""
    fields = (state,) if isinstance(state, Tensor) else state
    if not isinstance(fields, tuple | list) or not all(isinstance(field, Tensor) for field in fields):
        raise ShapeError(f"state={state!r}: pass the state that an earlier call returned, or None for zeros")
    return tuple(fields)


def split_state(kind: Kind, state: Any, x: Tensor, hidden: int, passes: int, first: int) -> list[tuple[Tensor, ...]]:
    """Public state -> a tuple of ``[B, ..]`` for each pass; None -> zeros. ``x [L, B, I]``; ``first`` passes in layer 0.

    Raises ShapeError when a shape or the number of fields does not fit.
    """
    shapes = [(passes, x.shape[1], hidden)] * len(kind.state_type._fields)
    if kind.input_state:
        shapes[-1] = (first, x.shape[1], x.shape[2])
    given = [x.new_zeros(shape) for shape in shapes] if state is None else list(state)
    odd = next((i for i, value in enumerate(given) if value.dtype != x.dtype), None)
    if odd is not None:
        raise ShapeError(f"state[{odd}] is {given[odd].dtype}, x is {x.dtype}: pass state[{odd}].to({x.dtype})")
    for i, (value, shape) in enumerate(zip(given, shapes, strict=False)):
        full = (passes, x.shape[1], 2 * kind.time_steps - 1, hidden)
        allowed = (shape, full) if kind.replicated and i == 1 else (shape,)
        if tuple(value.shape) not in allowed:
            raise ShapeError(f"state[{i}] has shape {tuple(value.shape)}: pass {' or '.join(map(str, allowed))}")
    if len(given) != len(shapes):
        raise ShapeError(f"state has {len(given)} tensors: pass the {len(shapes)} of {kind.state_type.__name__}")
    own = len(shapes) - kind.input_state
    split = list(zip(*(s.unbind(0) for s in given[:own]), strict=True))
    return [(*s, *(value[k] for value in given[own:] if k < first)) for k, s in enumerate(split)]


def join_state(kind: Kind, ends: list[tuple[Tensor, ...]]) -> Any:
    """The states at the end of each pass -> the public state."""
    own = len(kind.state_type._fields) - kind.input_state
    fields = [[end[i] for end in ends if i < len(end)] for i in range(own + kind.input_state)]
    return kind.state_type(*(torch.stack(values) for values in fields))
