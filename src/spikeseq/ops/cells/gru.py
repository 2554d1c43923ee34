r"""Gated recurrent unit, float: a baseline, and proof that the engine takes more than one shape of cell.

One element, gate order r, z, n as in ``torch.nn.GRU``. The candidate's input and recurrent parts stay apart, so the
preactivation has four blocks, and the engine adds ``U h`` to the last three (see ops/scan.py)::

    a = [W_n x + b_in | W_r x + U_r h + b_r | W_z x + U_z h + b_z | U_n h + b_hn]
    r, z = sigmoid(a_r), sigmoid(a_z);  n = tanh(a_nx + r a_nh)
    h <- (1 - z) n + z h

Source: Cho et al. (2014), arXiv:1406.1078, in the form of ``torch.nn.GRU``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class GRUState(NamedTuple):
    """State of a GRU."""

    h: Tensor  # [B, H]


@dataclass(frozen=True)
class GRUStep:
    """One element of a float GRU."""

    output_is_state = True

    def __call__(self, preactivation: Tensor, state: GRUState, params: tuple[()]) -> tuple[Tensor, GRUState]:
        """``a [B, 4H]`` (blocks n_x, r, z, n_h), state -> ``h [B, H]`` and the next state."""
        a_nx, a_r, a_z, a_nh = preactivation.chunk(4, -1)
        z = torch.sigmoid(a_z)
        n = torch.tanh(a_nx + torch.sigmoid(a_r) * a_nh)
        h = (1 - z) * n + z * state.h
        return h, GRUState(h)
