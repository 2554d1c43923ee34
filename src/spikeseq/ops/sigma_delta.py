r"""Sigma-delta coding: a value is sent as a few levels, and what a level leaves over is kept for the next element.

One element, in this order::

    acc <- acc + v
    y = Q(acc)
    acc <- acc - y                                       so that sum y = sum v - (acc at the end - acc at the start)

    u = clip(acc / M, low, 1)                            low = -1 for signed levels, 0 for unsigned ones
    trunc     k = trunc((1 - 1e-4) n u);   Q = k M / ((1 - 1e-4) n)      n = 2^(bits-1) signed, 2^bits unsigned
    nearest   k = R(n u);                  Q = k M / n                   n = 2^(bits-1) - 1 (at least 1), 2^bits - 1
    k <- 0 where |k| <= th

    v, acc, y  [..., H], unit of v;   M > 0 range, [1, 1], unit of v;   th  levels below the first one that is sent
    R          rounds half away from zero

Gradients pass straight through inside [low M, M]; that of M is the one of a learned step size. M is learned, or tracked:
bias-corrected moving averages, ``M = peak / weight`` with ``peak <- peak + 0.1 (max |acc| - peak)`` over all units and all
rows that are there, before the clip, and ``weight <- weight + 0.1 (1 - weight)``.

The published form is trunc, signed, tracked: **at 1 bit it sends 0 for ever** (n = 1, and trunc(0.9999 u) = 0), its squared
error is four times that of nearest, and for v >= 0 half of its levels stay empty. At 1 bit nearest has the levels {0, M}
(unsigned) or, one more than the bit holds, {-M, 0, M} (signed). If v stays above M, acc grows without bound.

Sources: Ponghiran & Roy (2022), arXiv:2109.01905 (trunc, th, tracked M); Esser et al. (2020), arXiv:1902.08153 (learned M);
rounding and unsigned levels are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from spikeseq.errors import ConfigError, nearest
from spikeseq.ops.spike import round_half_away, straight_through

Rounding = Literal["trunc", "nearest"]
MARGIN = 1 - 1e-4  # keeps trunc(n u) below n at u = 1
MOMENTUM = 0.1
SMALLEST = 1e-6  # of M, so that silence divides nothing by 0


@dataclass(frozen=True)
class SigmaDelta:
    """The quantiser Q."""

    levels: int  # n
    threshold_levels: int = 0  # th
    rounding: Rounding = "nearest"
    signed: bool = False

    @property
    def largest(self) -> int:
        """The largest |k|."""
        return self.levels - (self.rounding == "trunc")

    @property
    def scale(self) -> float:
        """Levels from 0 to M."""
        return MARGIN * self.levels if self.rounding == "trunc" else float(self.levels)

    def unit(self, reach: Tensor) -> Tensor:
        """Value of one level for a range M."""
        return reach / self.scale

    def quantize(self, acc: Tensor, reach: Tensor) -> Tensor:
        """``acc [..., H]``, M -> y ``[..., H]``."""
        u = torch.clamp(acc / reach, -1.0 if self.signed else 0.0, 1.0)
        exact = u.detach()
        k = torch.trunc(exact * self.scale) if self.rounding == "trunc" else round_half_away(exact * self.scale)
        if self.threshold_levels:
            k = torch.where(k.abs() <= self.threshold_levels, torch.zeros_like(k), k)
        return reach * straight_through(k / self.scale, u)

    def __call__(self, v: Tensor, residual: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
        """One element: v and the residual ``[..., H]``, M -> y and the next residual."""
        acc = residual + v
        y = self.quantize(acc, reach)
        return y, acc - y


def sigma_delta(bits: int, threshold_levels: int, rounding: str, levels: str) -> SigmaDelta:
    """Check a layer's options and build Q; ``levels`` is "signed" or "unsigned". Raises ConfigError."""
    for name, value, valid in (
        ("rounding", rounding, ("trunc", "nearest")),
        ("levels", levels, ("signed", "unsigned")),
    ):
        if value not in valid:
            raise ConfigError(f"{name}={value!r}: {nearest(str(value), valid)}")
    if type(bits) is not int or bits not in range(1, 9):
        raise ConfigError(f"bits={bits!r}: pass a whole number from 1 to 8")
    signed = levels == "signed"
    power = int(2 ** (bits - 1 if signed else bits))
    made = SigmaDelta(power if rounding == "trunc" else max(1, power - 1), 0, rounding, signed)  # type: ignore[arg-type]
    most = max(0, made.largest - 1)
    if type(threshold_levels) is not int or threshold_levels not in range(most + 1):
        raise ConfigError(
            f"threshold_levels={threshold_levels!r}: with bits={bits}, rounding={rounding!r} and {levels} levels |k| is at "
            f"most {made.largest}; pass a whole number from 0 to {most}"
        )
    return SigmaDelta(made.levels, threshold_levels, made.rounding, signed)


def track(peak: Tensor, weight: Tensor, acc: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Take one element's ``max |acc|`` into the moving averages ``[B, 1]`` (all rows alike); ``mask [B, 1]`` as in a scan."""
    size = acc.detach().abs()
    most = (size if mask is None else torch.where(mask, size, torch.zeros_like(size))).amax()
    return peak + MOMENTUM * (most - peak), weight + MOMENTUM * (1 - weight)


def tracked_range(peak: Tensor, weight: Tensor) -> Tensor:
    """M of the moving averages; 1 where nothing has been seen."""
    seen = weight > 0
    return torch.where(seen, peak / torch.where(seen, weight, torch.ones_like(weight)), torch.ones_like(peak)).clamp(
        min=SMALLEST
    )
