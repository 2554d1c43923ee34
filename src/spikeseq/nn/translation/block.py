r"""A block of the convolutional translation network; r is a current, carried past every block::

    z    = N(r)                      units with a membrane along the sequence, or a function
    A, B = K * z                     a convolution along the sequence, k taps
    r   <- r + scale (N(A) and N(B))

Source: Gehring et al. (2017), arXiv:1705.03122, with spikes in place of the gated linear unit (Rathi & Roy, LITE-SNN, 2024).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spikeseq.nn.conv import windows_of
from spikeseq.nn.dropout import SequenceDropout
from spikeseq.nn.translation.units import SPIKING, Units, gated


class BlockState(NamedTuple):
    """State of a Block."""

    units: Any  # LIFState of z, or None
    window: Tensor  # [B, k - 1, C] the last z, oldest first; [B, 0, C] where the block is not causal
    gates: Any  # LIFState of A and B, or None


class Block(nn.Module):
    """``r [L, B, C] -> r [L, B, C]``; causal or not.

    dropout   of z, a mask for each sequence
    """

    def __init__(
        self, channels: int, kernel_size: int, causal: bool, activation: str, dropout: float, options: dict[str, Any]
    ) -> None:
        super().__init__()
        self.kernel_size, self.causal, self.activation = kernel_size, causal, activation
        self.units = Units(activation, channels, options)
        self.dropout = SequenceDropout(dropout)
        self.conv = nn.Linear(channels * kernel_size, 2 * channels)
        self.gates = Units(activation, 2 * channels, options)
        self.scale = nn.Parameter(torch.ones(channels))
        self._start(activation in SPIKING)

    def _start(self, spikes: bool) -> None:
        """Currents of variance about 1 from units that send 1 in a quarter of the elements, or values of variance 1."""
        nn.init.normal_(self.conv.weight, std=(4 if spikes else 1) ** 0.5 * self.conv.in_features**-0.5)
        nn.init.constant_(self.conv.bias, 0.5 if spikes else 0.0)  # a spike takes both populations: not too seldom

    def forward(self, r: Tensor, state: BlockState | None = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """Return r and the state; the state is to be used of a causal block only."""
        sent, units = self.units(r, None if state is None else state.units, lengths)
        sent, _ = self.dropout(sent)
        seen, window = windows_of(sent, None if state is None else state.window, self.kernel_size, self.causal, lengths)
        both, gates = self.gates(self.conv(seen), None if state is None else state.gates, lengths)
        return r + self.scale * gated(self.activation, *both.chunk(2, -1)), BlockState(units, window, gates)
