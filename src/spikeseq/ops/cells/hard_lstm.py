r"""Hard LSTM and its T-level quantised twin (Q): the source network of a conversion, and its training graph.

One element, gate order i, f, g, o::

    hs_k(a) = clip(a / V_k + 1/2, 0, 1)                      k in {i, f, o}
    g = clip(a_g, -gam, gam)                                 never transmitted, stays analog
    c <- f c + i g;   y = o clip(c, -1, 1)

    hard        i, f, o = hs_k(a_k)                          h = y
    quantised   i, f, o = Q_T(hs_k(a_k))                     h = R(T y) / T

    V_k        [3, 1, H] threshold: width of the gate's linear range, > 0 (4 = slope of the sigmoid), unit of a
    gam        [1, H] clip range of g, > 0, unit of a
    Q_T(u)     clip(floor(T u + shift), 0, T) / T;  R(u) = sign(u) floor(|u| + shift);  shift 1/2 is the optimum

Straight-through gradients inside the clip ranges. Source: DESIGN.md 2.2; after Datta et al. (2022), arXiv:2210.12613.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from spikeseq.ops.cells.lstm import LSTMState
from spikeseq.ops.spike import hard_gate, round_through


class HardParams(NamedTuple):
    """Ranges of the hard activations."""

    threshold: Tensor  # [3, 1, H] V of the gates i, f, o
    clip: Tensor  # [1, H] gam


class Gates(NamedTuple):
    """Values of the four gates, each ``[..., H]``."""

    i: Tensor
    f: Tensor
    g: Tensor
    o: Tensor


def hard_gates(a: Tensor, params: HardParams, levels: int | None, shift: float) -> Gates:
    """Preactivation ``[..., 4H]`` -> gates; ``levels`` None leaves i, f, o analog, T quantises them to k/T."""
    a_i, a_f, a_g, a_o = a.chunk(4, -1)
    v_i, v_f, v_o = params.threshold.unbind(0)
    i, f, o = (hard_gate(a, v, levels, shift) for a, v in ((a_i, v_i), (a_f, v_f), (a_o, v_o)))
    return Gates(i, f, torch.clamp(a_g, -params.clip, params.clip), o)


def update(gates: Gates, c: Tensor) -> tuple[Tensor, Tensor]:
    """``c <- f c + i g``; return ``c`` and ``y = o clip(c, -1, 1)``, each ``[..., H]``."""
    c = gates.f * c + gates.i * gates.g
    return c, gates.o * torch.clamp(c, -1, 1)


@dataclass(frozen=True)
class HardLSTMStep:
    """One element of a hard LSTM."""

    output_is_state = True

    def __call__(self, preactivation: Tensor, state: LSTMState, params: HardParams) -> tuple[Tensor, LSTMState]:
        """``a [B, 4H]``, state -> ``h [B, H]`` and the next state."""
        c, y = update(hard_gates(preactivation, params, None, 0.5), state.c)
        return y, LSTMState(y, c)


@dataclass(frozen=True)
class QuantizedLSTMStep:
    """One element of the quantised LSTM (Q): what a spiking network of T time steps computes per element."""

    time_steps: int
    shift: float = 0.5
    output_is_state = True

    def __call__(self, preactivation: Tensor, state: LSTMState, params: HardParams) -> tuple[Tensor, LSTMState]:
        """``a [B, 4H]``, state -> ``h [B, H]`` in ``{-1, .., -1/T, 0, 1/T, .., 1}`` and the next state."""
        c, y = update(hard_gates(preactivation, params, self.time_steps, self.shift), state.c)
        h = round_through(self.time_steps * y, self.shift) / self.time_steps
        return h, LSTMState(h, c)
