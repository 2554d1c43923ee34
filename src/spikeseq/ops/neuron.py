r"""Integrate-and-fire (IF) and leaky integrate-and-fire (LIF): one step, the staircase, the optimal shift.

One time step, in this order::

    v <- leak * v + current        leak, then integrate
    s <- H(v - threshold)          spike; H(0) = 1: a potential that reaches the threshold fires
    v <- v - threshold * s         reset by subtraction; reset "zero": v <- v (1 - s)

    v          membrane potential, in units of the current
    leak       factor per time step, in [0, 1]; 1 means no leak (IF)
    H          Heaviside step; backward, the surrogate's slope stands in for it

Under a constant current z, from v = 0, the count after T steps reaches k exactly when ``z >= theta_k``, with
``theta_k = threshold * sum_{j=1..k} leak^(T - ceil(j T / k)) / G_T`` and ``G_T = 1 + leak + .. + leak^(T-1)``.

Sources: Gerstner et al., Neuronal Dynamics (2014), 1.3; Datta et al. (2022), arXiv:2210.12613 (shift). The closed
form for leak < 1 is this project's; it is checked against simulation for T = 1 .. 8 (tests/ops/test_neuron.py).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from spikeseq.errors import ConfigError
from spikeseq.ops.spike import Surrogate, straight_through

Reset = Literal["subtract", "zero"]
SLOWEST = 8  # k of the slowest dyadic leak, 1 - 2^-k; slower ones are rounded to no leak


class LIFState(NamedTuple):
    """State of LIF neurons."""

    v: Tensor  # [..., H] membrane potential after the reset


class LIFParams(NamedTuple):
    """Parameters of LIF neurons."""

    threshold: Tensor  # [H] or scalar, > 0, unit of the current
    leak: Tensor  # [H] or scalar, factor per time step in [0, 1]


def lif_step(
    current: Tensor, state: LIFState, params: LIFParams, surrogate: Surrogate, reset: Reset = "subtract"
) -> tuple[Tensor, LIFState]:
    """Advance one time step: current ``[..., H]`` -> spikes ``{0, 1} [..., H]`` and the next state."""
    v = params.leak * state.v + current
    spikes = surrogate((v - params.threshold) / params.threshold)
    fired = spikes.detach()  # a reset carries no error back through the surrogate
    return spikes, LIFState(v * (1 - fired) if reset == "zero" else v - params.threshold * fired)


def dyadic_leak(leak: Tensor) -> Tensor:
    """Round to the nearest ``1 - 2^-k``, ``k = 0 .. 8``, or to 1, by the logarithm of ``1 - leak``; gradient 1.

    The product ``leak v = v - 2^-k v`` is then a shift and a subtraction.
    """
    levels = torch.tensor([1 - 2.0**-k for k in range(SLOWEST + 1)] + [1.0]).to(leak)
    k = torch.round(-torch.log2((1 - leak.detach()).clamp(min=2.0 ** -(SLOWEST + 1)))).long()
    return straight_through(levels[k.clamp(min=0)], leak)


def staircase(leak: Tensor | float, time_steps: int, threshold: Tensor | float = 1.0) -> Tensor:
    """Return ``theta_1 .. theta_T``, the constant drives at which the count reaches 1 .. T: ``[T, *leak.shape]``."""
    if time_steps < 1:
        raise ConfigError(f"time_steps={time_steps}: a staircase needs at least one time step; pass 1 or more")
    leak = torch.as_tensor(leak)
    powers = [leak**p for p in range(time_steps)]
    gain = sum(powers[1:], powers[0])
    rows = []
    for k in range(1, time_steps + 1):
        exponents = [time_steps - -(-j * time_steps // k) for j in range(1, k + 1)]  # T - ceil(jT/k)
        rows.append(threshold * sum((powers[p] for p in exponents[1:]), powers[exponents[0]]) / gain)
    return torch.stack(rows)


def optimal_shift(leak: Tensor | float, time_steps: int, threshold: Tensor | float = 1.0) -> Tensor:
    """``d* = mean_k(theta_k) - threshold / 2``, added to the drive: zero mean error and least squared error.

    For a drive uniform in ``[0, threshold]`` and the target ``clip(z / threshold, 0, 1)``. IF: ``threshold / (2 T)``.
    Shape of ``leak``; differentiable in leak and threshold, so that the shift follows them in joint training.
    """
    return staircase(leak, time_steps, threshold).mean(0) - threshold / 2
