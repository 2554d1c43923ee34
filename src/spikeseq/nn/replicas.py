r"""The state of a spiking LSTM in the layout of ``nn.LSTM``: two tensors with the batch second.

Inside a scan the replicas t = 1 .. T stand side by side, ``h_t`` and ``c_t`` each ``[T, B, H]``. Outside::

    h         [B, H]          (h_1 + .. + h_T) / T: what the quantised LSTM calls h; feed it to a classifier
    streams   [B, 2T-1, H]    c_1 .. c_T, then h_1 .. h_{T-1}; h_T follows from h, so nothing is stored twice

At T = 1 ``streams`` is ``c`` with one extra axis. A plain ``(h, c)`` of an ``nn.LSTM`` is taken too: every replica
starts from c, and h is sent as the replicas would have sent it (``E_t = R(t h)``).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from spikeseq.ops.cells.lstm import LSTMState
from spikeseq.ops.spike import round_through


class SpikingLSTMState(NamedTuple):
    """State of a SpikingLSTM or StreamLSTM, D = layers x directions."""

    h: Tensor  # [D, B, H] average over T of the last spikes
    streams: Tensor  # [D, B, 2T-1, H] c_1 .. c_T, then h_1 .. h_{T-1}


def join_replicas(state: LSTMState) -> tuple[Tensor, Tensor]:
    """``h_t, c_t [T, B, H]`` -> ``h [B, H]``, ``streams [B, 2T-1, H]``."""
    streams = torch.cat([state.c, state.h[:-1]]).transpose(0, 1)
    return state.h.sum(0) / state.h.shape[0], streams


def split_replicas(h: Tensor, streams: Tensor, time_steps: int, max_packet: int | None = None) -> LSTMState:
    """``h [B, H]`` and ``streams [B, 2T-1, H]`` (or a plain ``c [B, H]``) -> ``h_t, c_t [T, B, H]``."""
    if streams.dim() == h.dim():
        return LSTMState(_send(h, time_steps, max_packet), streams.expand(time_steps, *streams.shape))
    parts = streams.transpose(0, 1)
    early = parts[time_steps:]
    last = round_through(time_steps * h) - early.sum(0)
    return LSTMState(torch.cat([early, last.unsqueeze(0)]), parts[:time_steps])


def _send(h: Tensor, time_steps: int, max_packet: int | None) -> Tensor:
    """Spikes ``[T, B, H]`` of replicas that transmit the value ``h [B, H]``."""
    emitted, spikes = torch.zeros_like(h), []
    for t in range(1, time_steps + 1):
        now = round_through(t * h) - emitted
        if max_packet is not None:
            now = now.clamp(-max_packet, max_packet)
        spikes.append(now)
        emitted = emitted + now
    return torch.stack(spikes)
