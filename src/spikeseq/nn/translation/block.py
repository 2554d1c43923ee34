r"""A block of the convolutional translation network; r is a current, carried past every block::

    z    = N(r)                      units with a membrane along the sequence, or a function
    A, B = K * z                     a convolution along the sequence, k taps
    r   <- r + scale (N(A) and N(B))      units.py

Source: Gehring et al. (2017), arXiv:1705.03122, with spikes in place of the gated linear unit (Rathi & Roy, LITE-SNN, 2024).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spikeseq.nn.conv import windows_of
from spikeseq.nn.dropout import SequenceDropout
from spikeseq.nn.translation.units import GRADED, SPIKING, Gates, Units, currents, gain_behind


class BlockState(NamedTuple):
    """State of a Block."""

    units: Any  # LIFState of z, or None
    window: Tensor  # [B, k - 1, C] the last z, oldest first; [B, 0, C] where the block is not causal
    gates: Any  # LIFState of A and B, of graded spikes one of each, or None


class GatedSum(nn.Module):
    """``r + scale g(a, b)``, ``scale [C]``; g: ``a b``, of binary spikes both; ``a sigmoid(b)`` for "glu"."""

    def __init__(self, channels: int, activation: str) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.sigmoid = activation == "glu"

    def forward(self, r: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """All ``[L, B, C]``."""
        return r + self.scale * (a * (torch.sigmoid(b) if self.sigmoid else b))


class Block(nn.Module):
    """``r [L, B, C] -> r [L, B, C]``; causal or not.

    dropout   of z, a mask for each sequence
    """

    def __init__(
        self, channels: int, kernel_size: int, causal: bool, activation: str, dropout: float, options: dict[str, Any]
    ) -> None:
        super().__init__()
        self.kernel_size, self.causal = kernel_size, causal
        self.units = Units(activation, channels, options)
        self.dropout = SequenceDropout(dropout)
        self.conv = currents(channels * kernel_size, 2 * channels, gain_behind(activation, options))
        self.gates: Units | Gates = (
            Gates(activation, channels, options) if activation == GRADED else Units(activation, 2 * channels, options)
        )
        self.sum = GatedSum(channels, activation)
        if (
            activation in SPIKING and activation != GRADED
        ):  # it takes spikes of both populations: let them not be too seldom at first
            nn.init.constant_(self.conv.bias, 0.5)

    def forward(self, r: Tensor, state: BlockState | None = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """Return r and the state; the state is to be used of a causal block only."""
        sent, units = self.units(r, None if state is None else state.units, lengths)
        sent, _ = self.dropout(sent)
        seen, window = windows_of(sent, None if state is None else state.window, self.kernel_size, self.causal, lengths)
        both, gates = self.gates(self.conv(seen), None if state is None else state.gates, lengths)
        return self.sum(r, *both.chunk(2, -1)), BlockState(units, window, gates)
