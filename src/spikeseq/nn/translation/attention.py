r"""Attention of the target's elements to those of the source, in two modes.

For queries q ``[B, L, E]``, keys k and values w ``[B, S, E]``, padding of the source left out::

    "softmax"   a_j = softmax_j(q . k_j);      c = sum_j a_j w_j                       analog
    "shift"     d_j = t(q) . t(k_j)            t: ternary spikes; d counts agreeing spikes, less the opposed
                m_j = floor((max_i d_i - d_j) / 4);   a_j = 2^-m_j, 0 from m = 8
                a_j <- a_j 2^-p                p the smallest with sum_j a_j <= 2^p
                c   = sum_j a_j g(w_j)         g: graded spikes of LEVELS levels up to REACH; shifts and additions

"shift" is a softmax to the base 2^(1/4) whose quotients are rounded to powers of two; backward, its own softmax stands in.
Both divide nothing by sqrt(E) but in "softmax", where queries are scaled by 2^-3: a shift.

Sources: Gehring et al. (2017), arXiv:1705.03122; Stevens et al. (2021), arXiv:2103.09301 (softmax to base 2).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.translation.graded import graded
from spikeseq.ops.spike import straight_through

MODES = ("softmax", "shift")
LEVELS, REACH = 4, 2.0  # of values and of contexts in mode "shift": values have deviations of about 1
STEP = 0.25  # agreeing spikes of which 1 / STEP double a weight
SMALLEST = 8  # m from which a weight is 0
FAR = -(2.0**12)  # score of padding


class Attention(nn.Module):
    """Queries, keys, values -> contexts ``[B, L, E]`` and weights ``[B, L, S]``; no parameters."""

    def __init__(self, mode: str = "softmax") -> None:
        super().__init__()
        if mode not in MODES:
            raise ConfigError(f"attention={mode!r}: {nearest(str(mode), MODES)}")
        self.mode = mode

    def forward(self, query: Tensor, key: Tensor, value: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """``there [B, S]``: False at padding of the source."""
        if self.mode == "softmax":
            scores = torch.bmm(query * 0.125, key.transpose(1, 2)).masked_fill(~there[:, None], -torch.inf)
            weights = torch.softmax(scores, -1)
            return torch.bmm(weights, value), weights
        scores = torch.bmm(graded(query, 1), graded(key, 1).transpose(1, 2)).masked_fill(~there[:, None], FAR)
        weights = shift_weights(scores)
        return torch.bmm(weights, graded(value, LEVELS, REACH)), weights

    def extra_repr(self) -> str:
        """The mode."""
        return self.mode


def shift_weights(scores: Tensor) -> Tensor:
    """Scores ``[.., S]``, whole numbers -> weights ``[.., S]``, powers of two whose sum is above 1/2, at most 1."""
    behind = torch.floor((scores.amax(-1, keepdim=True) - scores).detach() * STEP)
    weights = torch.ones_like(scores)
    for m in range(1, SMALLEST):  # a shifter: as many places as thresholds are passed
        weights = torch.where(behind >= m, weights * 0.5, weights)
    weights = torch.where(behind >= SMALLEST, 0.0, weights)
    total = weights.sum(-1, keepdim=True)
    for p in range(math.ceil(math.log2(max(2, scores.shape[-1])))):
        weights = torch.where(total > 2.0**p, weights * 0.5, weights)
    if not torch.is_grad_enabled():
        return weights
    return straight_through(weights, torch.softmax(scores * (math.log(2) * STEP), -1))
