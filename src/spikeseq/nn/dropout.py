"""Dropout for sequences: one mask for each sequence, held over all its elements."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.errors import ConfigError
from spikeseq.nn.sequence import check_state, run_time_first


class DropoutState(NamedTuple):
    """What a sequence's next chunk must know."""

    mask: Tensor  # [B, C, ..] 0 or 1 / (1 - p)


def keep_mask(x: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
    """0 with probability p, else 1 / (1 - p); dtype and device of ``x``."""
    return torch.bernoulli(x.new_full(shape, 1 - p)) / (1 - p)


class SequenceDropout(nn.Module):
    """In training, drop a unit for a whole sequence with probability p; those kept are scaled by 1 / (1 - p).

    The mask is drawn where no state is given, and is the state: hand it on with the next chunk of the same sequences. In
    evaluation the input goes through as it is.
    Sources: Gal & Ghahramani (2016), arXiv:1512.05287; Rathi & Roy, LITE-SNN (2024).

    batch_first  whether x is ``[B, L, C, ..]``
    """

    def __init__(self, p: float = 0.5, batch_first: bool = False) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ConfigError(f"p={p!r}: pass a probability from 0 up to, not including, 1")
        self.p, self.batch_first = p, batch_first

    def forward(
        self, x: Tensor | PackedSequence, state: Any = None, lengths: Tensor | list[int] | None = None
    ) -> tuple[Any, DropoutState | None]:
        """``[L, B, C, ..]`` -> the same shape, and the mask (None in evaluation); ``x`` and ``lengths`` as of LIF."""
        if not self.training or not self.p:
            return x, None
        return run_time_first(self._run, x, state, lengths, self.batch_first)

    def _run(self, x: Tensor, state: DropoutState | None, lengths: Tensor | None) -> tuple[Tensor, DropoutState]:
        shape = tuple(x.shape[1:])
        mask = keep_mask(x, shape, self.p) if state is None else check_state("state.mask", state.mask, shape)
        return x * mask, DropoutState(mask)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"
