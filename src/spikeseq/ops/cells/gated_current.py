r"""Gated synaptic current: one gate decides how much of the current stays and how much is replaced.

One element, gate order z, c; ``a = W y_in + b`` (v1) or ``a = W y_in + b + U y[n-1]`` (v2)::

    h <- (1 - z) m c + z h                          h is the current of current.py, which sends y for it

    published   z = sigmoid(a_z);          c = max(a_c, 0)
    levels      z = Q_T(hs(a_z));          c = clip(a_c, 0, gam), or clip(a_c, -gam, gam) where c is signed
    hard        z = hs(a_z);               c as for levels; h itself is transmitted

    hs(a)      clip(a / V + 1/2, 0, 1);  V [1, H] threshold, > 0, unit of a;  gam [1, H] clip range of c, in (0, 1]
    Q_T(u)     clip(floor(T u + shift), 0, T) / T; shift 1/2 is the optimum
    m          [B, H] dropout mask of the candidate, drawn once for a sequence: 0, or 1 / (1 - p); 1 in evaluation

With T levels of z both products are gated adds, and with y in k/T (M = 1) every product with a weight matrix adds rows:
nothing multiplies. ``gam <= 1`` keeps |h| <= 1, the range of y.

Sources: Ponghiran & Roy (2022), arXiv:2109.01905 (published); dropout after Semeniuta et al. (2016), arXiv:1603.05118;
levels and signed candidates are this project's. z and c of a GRU (Cho et al. 2014) without reset gate, signed, are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from spikeseq.ops.spike import hard_gate


class GatedParams(NamedTuple):
    """Parameters of the published form."""

    reach: Tensor  # [1, 1] M of the output
    keep: Tensor  # [B, H] or [1, 1] dropout mask m


class LevelParams(NamedTuple):
    """Parameters of the forms with clipped lines."""

    reach: Tensor  # [1, 1] 1: y is k/T
    keep: Tensor  # [B, H] or [1, 1]
    threshold: Tensor  # [1, H] V of z
    clip: Tensor  # [1, H] gam


class HardGatedState(NamedTuple):
    """State of the hard form."""

    h: Tensor  # [.., B, H]


def blend(z: Tensor, c: Tensor, h: Tensor, keep: Tensor) -> Tensor:
    """``(1 - z) m c + z h``, each ``[B, H]``."""
    return (1 - z) * (c * keep) + z * h


@dataclass(frozen=True)
class Gated:
    """Body of the published form."""

    def __call__(self, a: Tensor, current: Tensor, params: GatedParams) -> Tensor:
        """``a [B, 2H]``, h -> the next h ``[B, H]``."""
        a_z, a_c = a.chunk(2, -1)
        return blend(torch.sigmoid(a_z), torch.relu(a_c), current, params.keep)


@dataclass(frozen=True)
class LevelGated:
    """Body with clipped lines; ``levels`` T of z, or None for a line."""

    levels: int | None
    signed: bool = False
    shift: float = 0.5

    def __call__(self, a: Tensor, current: Tensor, params: LevelParams) -> Tensor:
        """``a [B, 2H]``, h -> the next h ``[B, H]``."""
        a_z, a_c = a.chunk(2, -1)
        z = hard_gate(a_z, params.threshold, self.levels, self.shift)
        low = -params.clip if self.signed else torch.zeros_like(params.clip)
        return blend(z, torch.clamp(a_c, low, params.clip), current, params.keep)


@dataclass(frozen=True)
class HardGatedStep:
    """One element whose output is the current itself."""

    body: LevelGated
    output_is_state = True

    def __call__(
        self, preactivation: Tensor, state: HardGatedState, params: LevelParams
    ) -> tuple[Tensor, HardGatedState]:
        """``a [B, 2H]``, state -> ``h [B, H]`` and the next state."""
        h = self.body(preactivation, state.h, params)
        return h, HardGatedState(h)
