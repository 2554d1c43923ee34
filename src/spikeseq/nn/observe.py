"""See what the layers transmit while a model runs: for energy counts, spike penalties and rasters.

Nothing is stored on a module: the list belongs to the ``with`` block that asked for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from torch import Tensor, nn


class Seen(NamedTuple):
    """One pass of one direction of one recurrent layer."""

    module: nn.Module
    part: str  # "l0", "l0_reverse", "l1", ..
    # what the input weights multiply (integers of an encoded input): [L, *lead, I]; lead = (1, B) for the input of a
    # spiking network, (T, B) for spikes, else (B,)
    x: Tensor
    output: Tensor  # [L, *lead, H] what it transmitted: spikes [L, T, B, H] or values [L, B, H]
    mask: Tensor | None  # [L, B, 1] False at padding
    first: Tensor  # [*lead, H] what it had transmitted before the first element


_seen: ContextVar[list[Seen] | None] = ContextVar("spikeseq_seen", default=None)


@contextmanager
def observing() -> Iterator[list[Seen]]:
    """Collect a :class:`Seen` for each recurrent pass inside the block; gradients stay attached."""
    found: list[Seen] = []
    token = _seen.set(found)
    try:
        yield found
    finally:
        _seen.reset(token)


def report(seen: Seen) -> None:
    """Hand one pass to whoever is looking; free when nobody is."""
    found = _seen.get()
    if found is not None:
        found.append(seen)


def is_observed() -> bool:
    """Whether somebody is looking."""
    return _seen.get() is not None
