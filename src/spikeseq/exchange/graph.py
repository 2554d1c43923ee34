"""A model as a list of tensor operations: what recording gives and what a writer of a format translates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor


@dataclass(frozen=True)
class Ref:
    """A tensor that depends on the inputs, by number."""

    number: int
    shape: tuple[Any, ...]  # whole numbers, or Size where it depends on the batch or the length
    dtype: Any


@dataclass(frozen=True)
class Size:
    """A whole number that depends on the batch B or the length L: ``factor * (of what) + offset``."""

    of: Literal["B", "L", "BL"]
    factor: int = 1
    offset: int = 0


@dataclass(frozen=True)
class Node:
    """One operation: ``outputs = op(*args, **kwargs)``; an argument is a Ref, a Size, a plain value or a list of these."""

    op: str  # "aten.add", or LOOP
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Ref, ...]


@dataclass(frozen=True)
class Graph:
    """Operations in the order of their running."""

    inputs: tuple[Ref, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Any, ...]  # Ref, or a constant Tensor


LOOP = "loop"


@dataclass(frozen=True)
class Loop:
    """A scan along the sequence, the only argument of a node LOOP: outputs are its output, then the last state.

    ``a[n] = x[n] W^T + b`` (or x[n] where there is no W), then ``body(a[n], *state)`` with the recurrent product in it
    """

    step: Any
    x: Any  # Ref [L, *lead, I]
    weight: Tensor | None
    bias: Tensor | None
    recurrent: Tensor | None
    state: tuple[Any, ...]
    body: Graph
