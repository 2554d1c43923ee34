"""Operations of ``leak v + current``, by the rules of ``spikeseq.energy``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FRACTION = 24  # bits of a float32 behind the point of its mantissa; of a leak in units of 2^-16 fewer


def leak_operations(leak: NDArray[Any] | None, units: int, elsewhere: int = 0) -> tuple[int, int]:
    """Multiplications and additions of all units; ``leak`` float32, or integers in the same ratio, None: 1.

    elsewhere   additions of each that are counted where its current is formed

    A leak that is a sum of d signed powers of two, fewest first, costs d additions if it is ``k 2^e`` with ``k <= 16`` or a
    difference of two powers of two, else a multiplication, which adds the current.
    """
    if leak is None:
        return 0, units * (1 - elsewhere)
    products = additions = 0
    for mantissa in np.frexp(leak.astype(np.float64))[0].flat:
        whole = int(mantissa * 2**FRACTION)
        odd = whole // (whole & -whole) if whole else 0
        if odd < 16 or odd & (odd + 1) == 0:
            additions += max(0, (odd ^ 3 * odd).bit_count() - elsewhere)  # non-zero digits of the non-adjacent form
        else:
            products += 1
    return products, additions
