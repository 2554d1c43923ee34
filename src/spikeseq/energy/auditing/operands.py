r"""What the numbers of an operand cost to multiply with, judged from their values.

    small dyadic   ops/dyadic.py                  a product is shifts and few adds
    levels         k s, one s for all, |k| <= 31  spikes, packets of spikes, gates k/T: a product is |k| adds of ``s w``

The scale s of levels folds into the weights they meet. It is found from the smallest magnitude m as m / j, j = 1 .. 31.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from spikeseq.ops.dyadic import SHIFT_ADDS, is_small_dyadic

LARGEST = 31  # |k| of a packet: 2T - 1 at T = 16
EIGHT_BITS = 127  # |k| of what a converter makes of the input
_DENSE = 128  # distinct magnitudes above which no common scale is looked for; rounding may split 31 levels


def is_power_of_two(x: Tensor | complex) -> bool:
    """Whether every value is ``+-2^e``, exactly."""
    x = torch.as_tensor(x)
    return not x.is_complex() and bool((torch.frexp(x.detach().double()).mantissa.abs() == 0.5).all())


def magnitudes(x: Tensor) -> Tensor | None:
    """Distinct non-zero ``|x|`` in ascending order, float64; None where they are too many, or not numbers, for levels."""
    if x.is_complex() or not bool(torch.isfinite(x).all()):
        return None
    found = torch.unique(x.detach().double().abs())
    found = found[found > 0]
    return found if found.numel() <= _DENSE else None


def common_scale(found: Tensor, largest: int = LARGEST, precision: torch.dtype = torch.float32) -> float | None:
    """Return the largest s with ``found = k s``, whole ``k <= largest``, to the rounding of ``precision``; else None.

    ``found`` as :func:`magnitudes` gives it; 1 if it is empty.
    """
    if found.numel() == 0:
        return 1.0
    info = torch.finfo(precision if precision.is_floating_point else torch.float32)
    smallest = float(found[0])
    for divisor in range(1, largest + 1):
        scale = smallest / divisor
        k = found / scale
        if float(k[-1]) > largest + 0.5:
            return None
        if bool(((k - k.round()).abs() <= 16 * info.eps * k).all()):
            return scale
    return None


def has_dyadic_scale(found: Tensor) -> bool:
    """Whether ``found = k 2^e`` exactly, one e for all, whole ``k <= 16``; ``found`` as of :func:`magnitudes`."""
    if found.numel() == 0:
        return True
    k = found / 2.0 ** math.ceil(math.log2(float(found[-1]) / SHIFT_ADDS))
    return bool((k == k.round()).all())


def describe(x: Tensor) -> str:
    """Say what an operand holds: "dense float operand: 1,024 of 1,024 values nonzero, 987 distinct"."""
    kind = "float" if x.is_floating_point() else "complex" if x.is_complex() else "integer"
    distinct = torch.unique(x.detach()).numel()
    return f"dense {kind} operand: {int(x.count_nonzero()):,} of {x.numel():,} values nonzero, {distinct:,} distinct"


def describe_constant(x: Tensor | complex) -> str:
    """Say what a constant factor is: "the constant 0.9", or "a constant of 48 values, such as 0.9"."""
    if not isinstance(x, Tensor):
        return f"the constant {x:.6g}"
    values = x.detach().flatten()
    if values.numel() == 0:
        return "an empty constant"
    distinct = torch.unique(values)
    if distinct.numel() == 1:
        return f"the constant {distinct.item():.6g}"
    example = next((v for v in distinct[:64] if not is_small_dyadic(v)), distinct[0])
    return f"a constant of {values.numel():,} values, such as {example.item():.6g}"
