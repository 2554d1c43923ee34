"""Step, rounding and counting functions whose backward pass is chosen: exact values forward, a slope backward.

All of them are built on one identity, exact in floating point because ``u - u == 0``::

    value    = exact + (smooth - smooth)      forward: exact
    gradient = d smooth                       backward: the slope of the smooth stand-in

Sources: Bengio et al. (2013), arXiv:1308.3432 (straight-through); Bu et al. (2022), arXiv:2303.04347 (QCFS).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Surrogate = Callable[[Tensor], Tensor]  # u [...] -> H(u) [...], with a slope of its own backward


def straight_through(exact: Tensor, smooth: Tensor) -> Tensor:
    """Return the value of ``exact`` with the gradient of ``smooth``; both ``[...]``, any unit."""
    return exact.detach() + (smooth - smooth.detach())


def clamp_through(value: Tensor, low: float, high: float | None = None) -> Tensor:
    """Clamp to the allowed range with gradient 1, so that a parameter that has left the range can come back."""
    return straight_through(value.clamp(low, high), value)


def round_half_away(u: Tensor, shift: float = 0.5) -> Tensor:
    r"""``R(u) = sign(u) floor(|u| + shift)``: the signed staircase with the odd shift.

    ``shift`` 1/2 is the optimum (exact rounding); 0 leaves a dead zone, as plain bipolar neurons do. No gradient.
    """
    return torch.sign(u) * torch.floor(u.abs() + shift)


def level_count(u: Tensor, levels: int, shift: float = 0.5) -> Tensor:
    r"""``K = clip(floor(levels * u + shift), 0, levels)``: how many of ``levels`` spikes an IF neuron fires. No gradient."""
    return torch.clamp(torch.floor(levels * u + shift), 0, levels)


def quantize_unit(u: Tensor, levels: int, shift: float = 0.5) -> Tensor:
    """Quantise to ``{0, 1/levels, .., 1}``; the gradient is that of ``clip(u, 0, 1)``."""
    return straight_through(level_count(u, levels, shift) / levels, torch.clamp(u, 0, 1))


def quantize_signed(u: Tensor, levels: int) -> Tensor:
    """Quantise to ``{-1, .., 0, 1/levels, .., 1}``, half away from zero; the gradient is that of ``clip(u, -1, 1)``."""
    clipped = torch.clamp(u, -1, 1)
    return straight_through(round_half_away(clipped * levels) / levels, clipped)


def hard_gate(a: Tensor, threshold: Tensor | float, levels: int | None = None, shift: float = 0.5) -> Tensor:
    r"""``hs(a) = clip(a / V + 1/2, 0, 1)``, the line in place of a sigmoid; ``levels`` T quantises it to k/T.

    a [...] and V [...] in one unit; the gradient is that of the line.
    """
    u = a / threshold + 0.5
    return torch.clamp(u, 0, 1) if levels is None else quantize_unit(u, levels, shift)


def round_through(u: Tensor, shift: float = 0.5) -> Tensor:
    """Round half away from zero (see :func:`round_half_away`) with gradient 1."""
    return straight_through(round_half_away(u, shift), u)


@dataclass(frozen=True)
class Rectangle:
    """Heaviside step, ``H(0) = 1``; slope ``1 / width`` for ``|u| <= width / 2``.

    With ``width`` equal to the threshold, the slopes of T parallel switches add up to the slope of the clipped line that
    they sample (the QCFS straight-through gradient). Behind one another in a neuron with a detached reset they do not:
    there the slope grows with T.
    """

    width: float = 1.0

    def __call__(self, u: Tensor) -> Tensor:
        """``u [...]`` in threshold units -> spikes ``{0, 1} [...]``."""
        smooth = torch.clamp(u / self.width, -0.5, 0.5)
        return straight_through((u >= 0).to(u.dtype), smooth)


def _heaviside(u: Tensor, slope: Tensor) -> Tensor:
    """``H(u)``, ``H(0) = 1``, with the gradient ``slope``."""
    return straight_through((u >= 0).to(u.dtype), slope.detach() * u)


@dataclass(frozen=True)
class Triangle:
    """Heaviside step, ``H(0) = 1``; slope ``height * max(0, 1 - |u|)`` (Bellec et al. 2018, arXiv:1803.09574)."""

    height: float = 0.3

    def __call__(self, u: Tensor) -> Tensor:
        """``u [...]`` in threshold units -> spikes ``{0, 1} [...]``."""
        return _heaviside(u, self.height * torch.clamp(1 - u.abs(), min=0))


@dataclass(frozen=True)
class FastSigmoid:
    """Heaviside step, ``H(0) = 1``; slope ``1 / (1 + steepness |u|)^2`` (Zenke & Ganguli 2018, arXiv:1705.11146)."""

    steepness: float = 10.0

    def __call__(self, u: Tensor) -> Tensor:
        """``u [...]`` in threshold units -> spikes ``{0, 1} [...]``."""
        return _heaviside(u, (1 + self.steepness * u.abs()) ** -2)


@dataclass(frozen=True)
class Arctan:
    """Heaviside step, ``H(0) = 1``; slope ``(width / 2) / (1 + (pi width u / 2)^2)`` (Fang et al. 2021, arXiv:2007.05785)."""

    width: float = 2.0

    def __call__(self, u: Tensor) -> Tensor:
        """``u [...]`` in threshold units -> spikes ``{0, 1} [...]``."""
        return _heaviside(u, self.width / 2 / (1 + (math.pi * self.width / 2 * u) ** 2))


SURROGATES: dict[str, Callable[[], Surrogate]] = {
    "rectangle": Rectangle,
    "triangle": Triangle,
    "fast_sigmoid": FastSigmoid,
    "arctan": Arctan,
}
