r"""Grid: the spiking LSTM that equals the quantised LSTM (Q), node (n, t) by node.

Node (n, t), with the same gates as Q taken of the running mean (``hard_gates``, ``update`` of hard_lstm.py)::

    A <- A + I_t                         membrane, along t; A = 0 at t = 0; I_t = W x_t + b + U h_t[n-1]
    i, f, o = Q_T(hs_k(A_k / t));  g = clip(A_g / t, -gam, gam)
    c_t <- f c_t + i g;   y = o clip(c_t, -1, 1)
    r = R(t y) - E                       what replica t still has to say
    h_t = clip(r, -B, B);   E <- E + h_t      delta-coded ternary spikes (|h_t| > 1 is a packet of |h_t| spikes)

State: (h_t, c_t) travel along n at fixed t; (A, E) along t at fixed n. With B >= 2T - 1, E_T / T and c_T equal h and c
of Q (docs/equations.md, theorem 2). Replicas t < T only predict; one whose t is no power of two coasts: it repeats the
last y instead of computing one (A / t would be no shift) and sends ``R(t y) - E``. A gate's count is a
comparison of A with the constants ``t V (j - 1/2 - T/2) / T``: no division in hardware.

Source: DESIGN.md 2.2, derived for this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from spikeseq.ops.cells.hard_lstm import HardParams, hard_gates, update
from spikeseq.ops.cells.lstm import LSTMState
from spikeseq.ops.spike import round_through


class NodeCarry(NamedTuple):
    """What travels along t at a fixed element n."""

    membrane: Tensor  # [B, 4H] A, sum of the currents so far
    emitted: Tensor  # [B, H] E, sum of the spikes so far
    y: Tensor  # [B, H] the last replica's y = o clip(c, -1, 1)


def coasts(t: int) -> bool:
    """Whether replica ``t`` (from 1) repeats the last y: A / t would not be a shift."""
    return t & (t - 1) != 0


@dataclass(frozen=True)
class GridStep:
    """All T time steps of one element, replica by replica."""

    time_steps: int
    shift: float = 0.5
    max_packet: int | None = None  # B; None: packets as large as they come (at most 2T - 1)
    output_is_state = True

    def node(
        self, t: int | Tensor, current: Tensor, carry: NodeCarry, c: Tensor, params: HardParams
    ) -> tuple[Tensor, Tensor, NodeCarry]:
        """Node (n, t): current ``[B, 4H]``, ``c_t[n-1] [B, H]`` -> ``h_t[n]``, ``c_t[n]`` and the carry to t + 1.

        Several nodes at once (``[K, B, ..]`` with ``t [K, 1, 1]``) where none of them coasts.
        """
        membrane = carry.membrane + current
        y = carry.y
        if not (isinstance(t, int) and coasts(t)):
            c, y = update(hard_gates(membrane / t, params, self.time_steps, self.shift), c)
        spikes = round_through(t * y, self.shift) - carry.emitted
        if self.max_packet is not None:
            spikes = torch.clamp(spikes, -self.max_packet, self.max_packet)
        return spikes, c, NodeCarry(membrane, carry.emitted + spikes, y)

    def start(self, current: Tensor, c: Tensor) -> NodeCarry:
        """Return the carry before the first time step: nothing integrated, nothing emitted."""
        return NodeCarry(torch.zeros_like(current), torch.zeros_like(c), torch.zeros_like(c))

    def __call__(self, preactivation: Tensor, state: LSTMState, params: HardParams) -> tuple[Tensor, LSTMState]:
        """Currents ``[T, B, 4H]``, state ``[T, B, H]`` -> spikes ``h_t [T, B, H]`` and the next state."""
        carry = self.start(preactivation[0], state.c[0])
        spikes, cells = [], []
        for t in range(1, self.time_steps + 1):
            h, c, carry = self.node(t, preactivation[t - 1], carry, state.c[t - 1], params)
            spikes.append(h)
            cells.append(c)
        h = torch.stack(spikes)
        return h, LSTMState(h, torch.stack(cells))
