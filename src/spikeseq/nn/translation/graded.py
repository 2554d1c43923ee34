r"""Analog values as graded spikes, and products with them.

``g(u) = R(T clip(u, -1, 1)) / T``, R rounding half away from zero: a packet of up to T unit spikes with a sign; T = 1: ternary
spikes. Backward, the gradient of the clip. T is a power of two: a product with weights is ``|k|`` additions and a shift.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikeseq.ops.spike import round_half_away, straight_through
from spikeseq.shapes import check_time_steps


def graded(u: Tensor, levels: int) -> Tensor:
    """``[..]`` -> multiples of 1 / levels in -1 .. 1, ``[..]``."""
    clipped = torch.clamp(u, -1, 1)
    return straight_through(round_half_away(clipped * levels) / levels, clipped)


class GradedLinear(nn.Linear):
    """``W g(u) + b``; levels 0: ``W u + b``."""

    def __init__(self, in_features: int, out_features: int, levels: int = 0, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self.levels = check_time_steps(levels) if levels else 0

    def forward(self, input: Tensor) -> Tensor:
        """``[.., I] -> [.., O]``."""
        return F.linear(graded(input, self.levels) if self.levels else input, self.weight, self.bias)
