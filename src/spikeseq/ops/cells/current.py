r"""A synaptic current with a multi-bit output: what the gated and the leaky current have in common.

One element, for a body F (gated_current.py, leaky_current.py)::

    current <- F(a, current)
    residual <- residual + current;  y = Q(residual);  residual <- residual - y        (ops/sigma_delta.py)

Only y is transmitted. In training the range M of Q may be tracked: it follows the moving averages at every element, as
published, over all rows that are there, and carries no gradient; in evaluation it is a constant.

Source: Ponghiran & Roy (2022), arXiv:2109.01905.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from spikeseq.ops.reference import MaskedStep
from spikeseq.ops.sigma_delta import SigmaDelta, track, tracked_range


class CurrentState(NamedTuple):
    """State of a current with a multi-bit output, each ``[.., B, H]``."""

    y: Tensor  # what was transmitted
    current: Tensor  # synaptic current
    residual: Tensor  # of the sigma-delta output: what y has not said yet


class TrackedState(NamedTuple):
    """The same in training with a tracked range."""

    y: Tensor
    current: Tensor
    residual: Tensor
    peak: Tensor  # [B, 1] moving average of max |acc|, all rows alike
    weight: Tensor  # [B, 1] moving average of 1


class ReachParams(NamedTuple):
    """Parameters of a step that codes a signal as it comes."""

    reach: Tensor  # [1, 1] M


class Body(Protocol):
    """The next current of a preactivation."""

    def __call__(self, a: Tensor, current: Tensor, params: Any) -> Tensor:
        """``a [B, G]``, current ``[B, H]`` -> the next current ``[B, H]``."""


@dataclass(frozen=True)
class Identity:
    """A body without memory: the preactivation itself, so that the step codes a signal as it comes."""

    def __call__(self, a: Tensor, current: Tensor, params: Any) -> Tensor:
        """``a [B, H]`` -> ``[B, H]``."""
        return a


@dataclass(frozen=True)
class CurrentStep:
    """One element; ``params.reach [1, 1]`` is M."""

    body: Body
    quantizer: SigmaDelta
    output_is_state = True

    def __call__(self, preactivation: Tensor, state: CurrentState, params: Any) -> tuple[Tensor, CurrentState]:
        """``a [B, G]``, state -> ``y [B, H]`` and the next state."""
        current = self.body(preactivation, state.current, params)
        y, residual = self.quantizer(current, state.residual, params.reach)
        return y, CurrentState(y, current, residual)


@dataclass(frozen=True)
class TrackedStep(MaskedStep):
    """One element in training, with the range of the moving averages."""

    body: Body
    quantizer: SigmaDelta
    output_is_state = True

    def __call__(
        self, preactivation: Tensor, state: TrackedState, params: Any, mask: Tensor | None = None
    ) -> tuple[Tensor, TrackedState]:
        """``a [B, G]``, state, ``mask [B, 1]`` -> ``y [B, H]`` and the next state."""
        current = self.body(preactivation, state.current, params)
        peak, weight = track(state.peak, state.weight, state.residual + current, mask)
        y, residual = self.quantizer(current, state.residual, tracked_range(peak, weight).detach())
        return y, TrackedState(y, current, residual, peak, weight)
