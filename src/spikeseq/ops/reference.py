"""The engine in its plainest form: a Python loop under autograd. Slow; what ops/scan.py is compared with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

import torch
from torch import Tensor


class Step(Protocol):
    """A cell: one element of a sequence as a pure function, hashable, with no tensors of its own.

    ``output_is_state`` says that the output is the first field of the new state (so that it is stored once). The first
    field of the state is what the recurrent weight multiplies.
    """

    output_is_state: bool

    def __call__(self, preactivation: Tensor, state: Any, params: Any) -> tuple[Tensor, Any]:
        """``[..., G]``, state, params -> output and the next state (a NamedTuple like the one it got)."""


class MaskedStep(ABC):
    """A step that looks at the whole batch, and so has to know which rows are padding; else as :class:`Step`."""

    output_is_state: bool

    @abstractmethod
    def __call__(
        self, preactivation: Tensor, state: Any, params: Any, mask: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """As a Step, with ``mask [B, 1]``: False for rows that are padding at this element; None for no padding."""


def apply(step: Step | MaskedStep, a: Tensor, mask: Tensor | None, state: Any, params: Any) -> tuple[Tensor, Any]:
    """One element: output and next state, which is the old one where the element is padding."""
    output, new = step(a, state, params, mask) if isinstance(step, MaskedStep) else step(a, state, params)
    return output, where_valid(mask, new, state)


def preactivation(drive: Tensor, recurrent: Tensor | None) -> Tensor:
    """Add ``U h [..., R]`` to the last R columns of the drive ``[..., G]``."""
    if recurrent is None:
        return drive
    own = drive.shape[-1] - recurrent.shape[-1]
    if own == 0:
        return drive + recurrent
    rest = drive[..., own:] + recurrent
    return torch.cat([drive[..., :own].expand(*rest.shape[:-1], own), rest], -1)


def where_valid(mask: Tensor | None, new: Any, old: Any) -> Any:
    """Keep the old state where ``mask [B, 1]`` says that the element is padding."""
    if mask is None:
        return new
    return type(new)(*(torch.where(mask, a, b) for a, b in zip(new, old, strict=True)))


def scan_reference(
    step: Step | MaskedStep,
    drive: Tensor,
    recurrent_weight: Tensor | None,
    state: Any,
    params: Any = (),
    mask: Tensor | None = None,
) -> tuple[Tensor, Any]:
    """Run a cell along a sequence; arguments and result as :func:`spikeseq.ops.scan.scan`."""
    outputs = []
    for n in range(drive.shape[0]):
        recurrent = None if recurrent_weight is None else state[0] @ recurrent_weight.t()
        valid = None if mask is None else mask[n]
        output, state = apply(step, preactivation(drive[n], recurrent), valid, state, params)
        outputs.append(output if valid is None else torch.where(valid, output, torch.zeros_like(output)))
    return torch.stack(outputs), state
