r"""Long short-term memory, float: the baseline and the model to convert.

One element, gate order i, f, g, o as in ``torch.nn.LSTM``::

    i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o);  g = tanh(a_g)
    c <- f c + i g;   h <- o tanh(c)

Source: Hochreiter & Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735; Gers et al. (2000) (forget gate).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class LSTMState(NamedTuple):
    """State of any LSTM-like cell along the sequence."""

    h: Tensor  # [..., B, H] what the cell transmits
    c: Tensor  # [..., B, H] cell state


@dataclass(frozen=True)
class LSTMStep:
    """One element of a float LSTM."""

    output_is_state = True

    def __call__(self, preactivation: Tensor, state: LSTMState, params: tuple[()]) -> tuple[Tensor, LSTMState]:
        """``a [B, 4H]``, state -> ``h [B, H]`` and the next state."""
        a_i, a_f, a_g, a_o = preactivation.chunk(4, -1)
        c = torch.sigmoid(a_f) * state.c + torch.sigmoid(a_i) * torch.tanh(a_g)
        h = torch.sigmoid(a_o) * torch.tanh(c)
        return h, LSTMState(h, c)
