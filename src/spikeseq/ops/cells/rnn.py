r"""Plain recurrent network, float: a baseline.

One element, as in ``torch.nn.RNN``: ``h <- tanh(a)``, ``a = W x + U h + b``.

Source: Elman (1990), doi:10.1207/s15516709cog1402_1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class RNNState(NamedTuple):
    """State of a plain recurrent network."""

    h: Tensor  # [B, H]


@dataclass(frozen=True)
class RNNStep:
    """One element of a plain recurrent network."""

    output_is_state = True

    def __call__(self, preactivation: Tensor, state: RNNState, params: tuple[()]) -> tuple[Tensor, RNNState]:
        """``a [B, H]``, state -> ``h [B, H]`` and the next state."""
        h = torch.tanh(preactivation)
        return h, RNNState(h)
