"""Numbers that shifts and additions multiply with, and what ``leak v + current`` costs by them.

    small dyadic   k 2^e with |k| <= 16           a product is a shift and at most three more additions
                   or 2^a - 2^b (a leak 1 - 2^-k)  two shifts and a subtraction

The energy count, the audit and the runtime's counters follow this one rule.
"""

from __future__ import annotations

import torch
from torch import Tensor

SHIFT_ADDS = 16  # |k| of a constant or a gate: T levels
_MANTISSA = 53  # bits of a float64 behind its point


def is_small_dyadic(x: Tensor | complex) -> bool:
    """Whether every value is ``k 2^e`` with ``|k| <= 16``, or a difference of two powers of two, exactly (zero included)."""
    x = torch.as_tensor(x)
    if x.is_complex():
        return False
    mantissa = torch.frexp(x.detach().double()).mantissa.abs()  # 1 > mantissa >= 1/2
    few = mantissa * SHIFT_ADDS == (mantissa * SHIFT_ADDS).round()  # whole for |k| <= 16
    return bool((few | (torch.frexp(1 - mantissa).mantissa == 0.5)).all())


def signed_powers(value: float) -> int:
    """How many signed powers of two add up to ``value``, at fewest (its non-zero digits in non-adjacent form)."""
    mantissa, _ = torch.frexp(torch.tensor(abs(value), dtype=torch.float64))
    whole = int(float(mantissa) * 2**_MANTISSA)
    return (whole ^ 3 * whole).bit_count()


def leak_operations(leaks: Tensor, elsewhere: int = 0) -> tuple[int, int]:
    """Multiplications and additions of neurons with these leaks, any shape and any unit that is a power of two, one each.

    A leak that is a sum of d signed powers of two costs d additions, the current's among them; another one a multiplication,
    which adds the current. ``elsewhere``: additions of a neuron that are counted where its current is formed.
    """
    products = additions = 0
    for leak in leaks.detach().double().flatten():
        if is_small_dyadic(leak):
            additions += max(0, signed_powers(float(leak)) - elsewhere)
        else:
            products += 1
    return products, additions
