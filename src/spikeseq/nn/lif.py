r"""LIF and IF neurons along a sequence or element by element; equation in ops/neuron.py.

The neurons have no weights: put a Linear or a convolution before them (``spikeseq.nn.Sequential`` chains them). Their
membrane is carried along the sequence, and from chunk to chunk by the state that goes in and comes out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence
from typing_extensions import Unpack

from spikeseq.nn.neurons import NeuronOptions, Neurons
from spikeseq.nn.observe import Seen, report
from spikeseq.nn.sequence import as_state, check_state, run_time_first, valid_mask, without_padding
from spikeseq.ops.neuron import LIFState
from spikeseq.ops.precision import full_precision
from spikeseq.ops.scan import scan


class NeuronLayer(Neurons):
    """Neurons along a sequence."""

    batch_first: bool = False

    def forward(
        self, x: Tensor | PackedSequence, state: Any = None, lengths: Tensor | list[int] | None = None
    ) -> tuple[Any, LIFState]:
        """Currents -> spikes of the same shape, and the state after each row's last element.

        x        ``[L, B, C, ..]``, ``[B, L, C, ..]`` with ``batch_first``, ``[L, C]`` for one sequence, or a PackedSequence
        state    the LIFState that an earlier call returned, v ``[B, C, ..]``, or None (zeros)
        lengths  ``[B]`` true lengths: what lies behind them changes no result, outputs there are 0
        Raises ShapeError when a shape does not fit.
        """
        return run_time_first(self._run, x, as_state(LIFState, state, x), lengths, self.batch_first)

    @full_precision
    def _run(self, x: Tensor, state: LIFState | None, lengths: Tensor | None) -> tuple[Tensor, LIFState]:
        batch, units = x.shape[1], x.shape[2:]
        currents = without_padding(x, lengths).flatten(2)
        if currents.stride(-1) != 1:  # channels last would make every element of the loop a scattered read
            currents = currents.contiguous()
        mask = None if lengths is None else valid_mask(lengths, x).unsqueeze(-1)
        v = x.new_zeros(batch, *units) if state is None else check_state("state.v", state.v, (batch, *units))
        start = LIFState(v.flatten(1))
        spikes, end = scan(self.element, currents, None, start, self.params(units), mask)
        report(Seen(self, "", currents, spikes, mask, torch.zeros_like(start.v)))
        return spikes.unflatten(2, units), LIFState(end.v.unflatten(1, units))


class LIF(NeuronLayer):
    """Leaky integrate-and-fire neurons along a sequence, leak and threshold learned.

    channels     C: one threshold and one leak for each channel; None: one for the layer
    leak         first value, factor per element in [0, 1]
    learn_leak   whether it is trained
    dyadic_leak  round it to 1 - 2^-k when it is used (gradient 1): its product is a shift and a subtraction
    batch_first  whether x is ``[B, L, C, ..]``; never the state
    Further keyword arguments: NeuronOptions.
    """

    def __init__(
        self,
        channels: int | None = None,
        *,
        leak: float = 0.95,
        learn_leak: bool = True,
        dyadic_leak: bool = False,
        batch_first: bool = False,
        **options: Unpack[NeuronOptions],
    ) -> None:
        super().__init__(channels, leak, learn_leak, dyadic_leak, **options)
        self.batch_first = batch_first


class IF(NeuronLayer):
    """Integrate-and-fire neurons along a sequence: LIF without leak, and without its multiplication.

    channels, batch_first  as of LIF; further keyword arguments: NeuronOptions.
    """

    def __init__(
        self, channels: int | None = None, *, batch_first: bool = False, **options: Unpack[NeuronOptions]
    ) -> None:
        super().__init__(channels, None, False, False, **options)
        self.batch_first = batch_first


class NeuronCell(Neurons):
    """Neurons, one element."""

    @full_precision
    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, LIFState]:
        """Advance one element: currents ``[B, C, ..]`` or ``[C]`` -> spikes and state of that shape; None means zeros."""
        rows = x.unsqueeze(0) if x.dim() == 1 else x
        units = rows.shape[1:]
        v = torch.zeros_like(x) if state is None else as_state(LIFState, state, x).v
        check_state("state.v", v, tuple(x.shape))
        spikes, end = self.element(rows.flatten(1), LIFState(v.reshape(rows.shape).flatten(1)), self.params(units))
        return spikes.view(x.shape), LIFState(end.v.view(x.shape))


class LIFCell(NeuronCell):
    """LIF, one element; arguments and parameters as of LIF."""

    def __init__(
        self,
        channels: int | None = None,
        *,
        leak: float = 0.95,
        learn_leak: bool = True,
        dyadic_leak: bool = False,
        **options: Unpack[NeuronOptions],
    ) -> None:
        super().__init__(channels, leak, learn_leak, dyadic_leak, **options)


class IFCell(NeuronCell):
    """IF, one element; arguments and parameters as of IF."""

    def __init__(self, channels: int | None = None, **options: Unpack[NeuronOptions]) -> None:
        super().__init__(channels, None, False, False, **options)
