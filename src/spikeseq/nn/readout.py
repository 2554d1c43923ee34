"""Readouts: a sequence in, one value for each row at its true end out."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.sequence import check_state, run_time_first, valid_mask, without_padding
from spikeseq.ops.precision import full_precision


class IntegratorState(NamedTuple):
    """State of an Integrator."""

    v: Tensor  # [B, C, ..] sum of the currents so far
    elements: Tensor  # [B] how many they were, in the dtype of v


class Integrator(nn.Module):
    """``v <- v + current``; the output is v, or v divided by the number of elements, after each row's last element.

    normalise    "none" or "length"
    batch_first  whether x is ``[B, L, C, ..]``
    """

    def __init__(self, normalise: Literal["none", "length"] = "none", batch_first: bool = False) -> None:
        super().__init__()
        if normalise not in ("none", "length"):
            raise ConfigError(f"normalise={normalise!r}: {nearest(str(normalise), ('none', 'length'))}")
        self.normalise, self.batch_first = normalise, batch_first

    def forward(
        self, x: Tensor | PackedSequence, state: Any = None, lengths: Tensor | list[int] | None = None
    ) -> tuple[Tensor, IntegratorState]:
        """Currents ``[L, B, C, ..]`` -> values ``[B, C, ..]`` and the state.

        x, state, lengths  as of LIF. Raises ShapeError when a shape does not fit.
        """
        return run_time_first(self._last, x, state, lengths, self.batch_first, collapses=True)

    def running(self, x: Tensor, state: Any = None, lengths: Tensor | list[int] | None = None) -> Tensor:
        """As :meth:`forward`, the value after every element: ``[L, B, C, ..]`` in the layout of ``x``."""
        return run_time_first(self._all, x, state, lengths, self.batch_first)[0]

    @full_precision
    def _last(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, IntegratorState]:
        start = self._start(x, state)
        seen = torch.full_like(start.elements, x.shape[0]) if lengths is None else lengths.to(start.elements)
        end = IntegratorState(start.v + without_padding(x, lengths).sum(0), start.elements + seen)
        return self._value(end), end

    @full_precision
    def _all(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, IntegratorState]:
        start = self._start(x, state)
        new = torch.ones(x.shape[:2]) if lengths is None else valid_mask(lengths, x)
        path = IntegratorState(start.v + without_padding(x, lengths).cumsum(0), start.elements + new.cumsum(0).to(x))
        return self._value(path), IntegratorState(*(p[-1] for p in path))

    def _start(self, x: Tensor, state: Any) -> IntegratorState:
        if state is None:
            return IntegratorState(x.new_zeros(x.shape[1:]), x.new_zeros(x.shape[1]))
        v = check_state("state.v", state[0], tuple(x.shape[1:]))
        return IntegratorState(v, check_state("state.elements", state[1], (x.shape[1],)))

    def _value(self, state: IntegratorState) -> Tensor:
        """What is read: ``v`` or ``v / elements``, also along a path of states."""
        if self.normalise == "none":
            return state.v
        return state.v / state.elements.view(*state.elements.shape, *(1,) * (state.v.dim() - state.elements.dim()))

    def extra_repr(self) -> str:
        """Options that are not the default."""
        return "" if self.normalise == "none" else f"normalise={self.normalise!r}"


class Last(nn.Module):
    """The last element of each row; no state.

    batch_first  whether x is ``[B, L, C, ..]``
    """

    def __init__(self, batch_first: bool = False) -> None:
        super().__init__()
        self.batch_first = batch_first

    def forward(
        self, x: Tensor | PackedSequence, state: None = None, lengths: Tensor | list[int] | None = None
    ) -> tuple[Tensor, None]:
        """``[L, B, C, ..] -> [B, C, ..]``, and None; ``x`` and ``lengths`` as of LIF."""
        return run_time_first(self._run, x, None, lengths, self.batch_first, collapses=True)[0], None

    def _run(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, tuple[()]]:
        return (x[-1] if lengths is None else x[lengths - 1, torch.arange(x.shape[1])]), ()
