r"""Input encodings that need no full-width multiplication, for the first layer of a spiking network.

Each feature j has a step ``s_j > 0`` in units of x::

    k_j = clip(R(x_j / s_j), -M, M)                       R rounds half away from zero; M = 127
    W x ~ sum_j (s_j W_j) k_j                             s is folded into the weights, once

    int8    k and the weights are 8-bit integers: ``W_q = r R(s W / r)`` with ``r`` a power of two for each row, so that
            products are 8 by 8 bit and the scale at the end is a shift
    delta   only the change ``k[n] - k[n-1]`` is sent, as a packet of unit spikes: ``W x`` is a running sum, which equals
            the product with k[n] itself

    x [..., I];  s [I];  W [G, I].  Gradients pass straight through both roundings inside the clip range.

Source: this project, after sigma-delta coding (O'Connor & Welling 2016, arXiv:1611.02024).
"""

from __future__ import annotations

import torch
from torch import Tensor

from spikeseq.ops.spike import round_half_away, straight_through

MOST = 127


def input_counts(x: Tensor, step: Tensor) -> Tensor:
    """``x [..., I]``, ``step [I]`` -> integers ``k [..., I]``."""
    u = x / step
    return straight_through(round_half_away(u).clamp(-MOST, MOST), u.clamp(-MOST, MOST))


def eight_bit_rows(weight: Tensor) -> Tensor:
    """``[G, I]`` rounded to 8-bit multiples of a power of two for each row; a row of zeros stays zero."""
    largest = weight.detach().abs().amax(1, keepdim=True)
    unit = torch.exp2(torch.ceil(torch.log2(torch.where(largest > 0, largest, torch.ones_like(largest)) / MOST)))
    unit = unit.clamp(min=torch.finfo(weight.dtype).tiny)  # below it a row is rounded to zeros, not divided by 0
    return straight_through(round_half_away(weight.detach() / unit) * unit, weight)
