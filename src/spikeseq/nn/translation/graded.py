r"""Analog values as graded spikes, and products with them.

``k = R(T clip(u / M, -1, 1));  g(u) = k M / T``, R rounding half away from zero: a packet of up to T unit spikes with a sign;
T = 1: ternary spikes. Backward, the gradient of the clip. T and M, the largest value (``reach``), are powers of two: a product
with weights is ``|k|`` additions and a shift.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from spikeseq.errors import ConfigError
from spikeseq.ops.spike import quantize_signed
from spikeseq.shapes import check_number, check_time_steps


def graded(u: Tensor, levels: int, reach: float = 1.0) -> Tensor:
    """``[..]`` -> multiples of reach / levels in -reach .. reach, ``[..]``."""
    return quantize_signed(u / reach, levels) * reach


def unit_spikes(u: Tensor, levels: int, reach: float = 1.0) -> Tensor:
    """``|k|`` of each value ``[..]``."""
    return (quantize_signed(u / reach, levels) * levels).abs()


class GradedLinear(nn.Linear):
    """``W g(u) + b``; levels 0: ``W u + b``. ``reach``: the largest value that is sent."""

    def __init__(
        self, in_features: int, out_features: int, levels: int = 0, bias: bool = True, reach: float = 1.0
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.levels = 0 if levels == 0 and not isinstance(levels, bool) else check_time_steps(levels, "levels")
        largest = 2.0**16
        if not (1 / largest <= check_number("reach", reach) <= largest and math.frexp(reach)[0] == 0.5):
            raise ConfigError(f"reach={reach!r}: pass a power of two, so that a product with it is a shift")
        self.reach = float(reach)

    def forward(self, input: Tensor) -> Tensor:
        """``[.., I] -> [.., O]``."""
        sent = graded(input, self.levels, self.reach) if self.levels else input
        return F.linear(sent, self.weight, self.bias)
