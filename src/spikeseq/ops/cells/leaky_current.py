r"""Leaky synaptic current: the conventional network that the gated current is compared with.

One element::

    syn <- a + leak syn                    the current of current.py, which sends y for it;  a = W y_in + b

    leak    [1, H] factor per element, learned, free to leave [0, 1]

Source: the baseline of Ponghiran & Roy (2022), arXiv:2109.01905.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class LeakyParams(NamedTuple):
    """Parameters of a leaky current."""

    reach: Tensor  # [1, 1] M of the output
    leak: Tensor  # [1, H]


@dataclass(frozen=True)
class Leaky:
    """Body of the leaky current."""

    def __call__(self, a: Tensor, current: Tensor, params: LeakyParams) -> Tensor:
        """``a [B, H]``, syn -> the next syn ``[B, H]``."""
        return a + params.leak * current
