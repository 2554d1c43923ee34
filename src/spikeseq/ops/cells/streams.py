r"""Streams: per-t streams with binary IF or LIF gates, the scheme closest to Datta et al. (S1).

Node (n, t), gates k in {i, f, o}, all membranes 0 at t = 0 of each element::

    v_k <- leak_k v_k + a_k,t + V_k / 2 + d*(leak_k, T, V_k);   s_k = [v_k >= V_k];   v_k <- v_k - V_k s_k
    g = clip(a_g,t, -gam, gam)
    c_t <- s_f c_t + s_i g                                    gates are one bit: keep or clear, add or not
    m <- m + s_o clip(c_t, -1, 1);   h_t = R(m) clipped to {-1, 0, 1};   m <- m - h_t      fires at |m| >= 1/2

    V_k        [3, 1, H] threshold of the gate neurons, unit of a;   leak_k [3, 1, H] factor per time step in [0, 1]
    d*         the optimal shift (ops/neuron.py); follows leak and threshold in joint training

``(c_t, h_t)`` travel along n at fixed t, the membranes along t at fixed n: wavefront-legal. A product of one-bit gates
averaged over t is not the product of their averages: this network must be trained as what it is (DESIGN.md 2.2).

Source: after Datta et al. (2022), arXiv:2210.12613; the published form of the gates' scale is not known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from spikeseq.ops.cells.hard_lstm import Gates, update
from spikeseq.ops.cells.lstm import LSTMState
from spikeseq.ops.neuron import LIFParams, LIFState, lif_step, optimal_shift
from spikeseq.ops.spike import Rectangle, Surrogate, round_half_away, straight_through


class StreamParams(NamedTuple):
    """Parameters of the gate neurons."""

    threshold: Tensor  # [3, 1, H] V of the gates i, f, o
    clip: Tensor  # [1, H] gam
    leak: Tensor  # [3, 1, H] of the gates i, f, o


class StreamCarry(NamedTuple):
    """What travels along t at a fixed element n: membranes, each ``[B, H]``."""

    i: Tensor
    f: Tensor
    o: Tensor
    output: Tensor


@dataclass(frozen=True)
class StreamStep:
    """All T time steps of one element, stream by stream."""

    time_steps: int
    shift: bool = True  # add the optimal shift d*
    surrogate: Surrogate = field(default_factory=Rectangle)
    output_is_state = True

    def node(
        self, t: int | Tensor, current: Tensor, carry: StreamCarry, c: Tensor, params: StreamParams
    ) -> tuple[Tensor, Tensor, StreamCarry]:
        """Node (n, t): current ``[B, 4H]``, ``c_t[n-1] [B, H]`` -> ``h_t[n]``, ``c_t[n]`` and the carry to t + 1."""
        a_i, a_f, a_g, a_o = current.chunk(4, -1)
        fired, membranes = [], []
        for k, a in enumerate((a_i, a_f, a_o)):
            neuron = LIFParams(params.threshold[k], params.leak[k])
            offset = optimal_shift(neuron.leak, self.time_steps, neuron.threshold) if self.shift else 0.0
            drive = a + neuron.threshold / 2 + offset
            spikes, lif = lif_step(drive, LIFState(carry[k]), neuron, self.surrogate)
            fired.append(spikes)
            membranes.append(lif.v)
        i, f, o = fired
        c, y = update(Gates(i, f, torch.clamp(a_g, -params.clip, params.clip), o), c)
        m = carry.output + y
        h = straight_through(round_half_away(m, 0.5 if self.shift else 0.0).clamp(-1, 1), m.clamp(-1, 1))
        v_i, v_f, v_o = membranes
        return h, c, StreamCarry(v_i, v_f, v_o, m - h.detach())

    def start(self, current: Tensor, c: Tensor) -> StreamCarry:
        """Return the carry before the first time step: all membranes at 0."""
        return StreamCarry(*(torch.zeros_like(c) for _ in StreamCarry._fields))

    def __call__(self, preactivation: Tensor, state: LSTMState, params: StreamParams) -> tuple[Tensor, LSTMState]:
        """Currents ``[T, B, 4H]``, state ``[T, B, H]`` -> spikes ``h_t [T, B, H]`` and the next state."""
        carry = self.start(preactivation[0], state.c[0])
        spikes, cells = [], []
        for t in range(1, self.time_steps + 1):
            h, c, carry = self.node(t, preactivation[t - 1], carry, state.c[t - 1], params)
            spikes.append(h)
            cells.append(c)
        h = torch.stack(spikes)
        return h, LSTMState(h, torch.stack(cells))
