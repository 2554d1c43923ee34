"""What ``leak v + current`` costs: a multiplication, or shifts where the audit takes the leak for such."""

from __future__ import annotations

import torch
from torch import Tensor

from spikeseq.energy.auditing.operands import is_small_dyadic


def signed_powers(value: float) -> int:
    """How many signed powers of two add up to ``value``, at fewest (its non-zero digits in non-adjacent form)."""
    mantissa, _ = torch.frexp(torch.tensor(value, dtype=torch.float64))
    whole, digits = int(float(mantissa) * 2**53), 0
    while whole:
        if whole & 1:
            digit = 2 - (whole & 3)
            whole -= digit
            digits += 1
        whole >>= 1
    return digits


def leak_operations(leaks: Tensor, elsewhere: int = 0) -> tuple[int, int]:
    """Multiplications and additions of neurons with these leaks, any shape, one each.

    A leak that is a sum of d signed powers of two costs d additions, the current's among them; another one a multiplication,
    which adds the current. ``elsewhere``: additions of a neuron that are counted where its current is formed.
    """
    products = additions = 0
    for leak in leaks.detach().flatten():
        if is_small_dyadic(leak):
            additions += max(0, signed_powers(float(leak)) - elsewhere)
        else:
            products += 1
    return products, additions
