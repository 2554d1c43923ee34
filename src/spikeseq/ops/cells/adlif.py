r"""Adaptive leaky integrate-and-fire (adLIF) neuron with recurrence: the strongest simple spiking unit of the field.

One element, ``a = W x + b + U s[n-1]``, U without self-connections; threshold 1, H(0) = 1::

    forward (Bittar & Garner)
        w <- beta w + p u + q s
        u <- alpha (u - s) + (1 - alpha) (a - w);       s <- H(u - 1)        soft reset, one element late

    symplectic (SE-adLIF, Baronig et al.)
        u <- alpha u + (1 - alpha) (a - w);             s <- H(u - 1)
        u <- u (1 - s)                                                       reset to 0
        w <- beta w + (1 - beta) (p u + q s)            p, q may be as large as 120 and 240

    alpha, beta  [1, H] factors per element of potential u and adaptation w;  p  [1, H] coupling of u;  q  [1, H] of spikes

Backward a spike has the slope of a rectangle of width 1. In the symplectic form the reset carries no error, as in its
source, which takes an exponential slope instead.

Sources: Bittar & Garner (2022), doi:10.3389/fnins.2022.865897; Baronig et al. (2025), arXiv:2408.07517.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from spikeseq.ops.spike import Rectangle, Surrogate


class AdLIFState(NamedTuple):
    """State of adLIF neurons, each ``[.., B, H]``."""

    spikes: Tensor  # {0, 1}
    u: Tensor  # membrane potential, in units of the threshold
    w: Tensor  # adaptation current


class AdLIFParams(NamedTuple):
    """Parameters of adLIF neurons, each ``[1, H]``."""

    alpha: Tensor
    beta: Tensor
    p: Tensor
    q: Tensor


@dataclass(frozen=True)
class AdLIFStep:
    """One element."""

    symplectic: bool = False
    surrogate: Surrogate = field(default_factory=Rectangle)
    output_is_state = True

    def __call__(self, preactivation: Tensor, state: AdLIFState, params: AdLIFParams) -> tuple[Tensor, AdLIFState]:
        """``a [B, H]``, state -> spikes ``[B, H]`` and the next state."""
        s, u, w = state
        alpha, beta, p, q = params
        if self.symplectic:
            u = alpha * u + (1 - alpha) * (preactivation - w)
            s = self.surrogate(u - 1)
            u = u * (1 - s.detach())
            w = beta * w + (1 - beta) * (p * u + q * s)
        else:
            w = beta * w + p * u + q * s
            u = alpha * (u - s) + (1 - alpha) * (preactivation - w)
            s = self.surrogate(u - 1)
        return s, AdLIFState(s, u, w)
