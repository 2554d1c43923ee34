"""Current-based LIF neurons along a sequence; equation in ops/cells/cuba_lif.py."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from typing_extensions import Unpack

from spikeseq.errors import ConfigError
from spikeseq.nn.neurons import NeuronOptions, Neurons
from spikeseq.nn.observe import Seen, report
from spikeseq.nn.sequence import as_state, check_state, run_time_first, valid_mask, without_padding
from spikeseq.ops.cells.cuba_lif import CubaParams, CubaState, CubaStep
from spikeseq.ops.precision import full_precision
from spikeseq.ops.scan import scan
from spikeseq.ops.spike import clamp_through


class CubaLIF(Neurons):
    """LIF neurons behind a synaptic current that leaks; leaks and threshold learned.

    channels     C: parameters of their own for each channel; None: one of each for the layer
    leak, current_leak  first values, factors per element in [0, 1]
    learn_leak   whether both are trained
    batch_first  whether x is ``[B, L, C, ..]``; never the state
    Further keyword arguments: NeuronOptions.
    """

    def __init__(
        self,
        channels: int | None = None,
        *,
        leak: float = 0.95,
        current_leak: float = 0.8,
        learn_leak: bool = True,
        batch_first: bool = False,
        **options: Unpack[NeuronOptions],
    ) -> None:
        super().__init__(channels, leak, learn_leak, False, **options)
        if not 0 <= current_leak <= 1:
            raise ConfigError(f"current_leak={current_leak!r}: a factor per element from 0 to 1; 1 means no leak")
        self.current_step = CubaStep(self.step.surrogate, self.step.reset)
        self.batch_first = batch_first
        first = torch.full_like(self.threshold.detach(), current_leak)
        self.current_leak = nn.Parameter(first, requires_grad=learn_leak)

    def forward(
        self, x: Tensor | PackedSequence, state: Any = None, lengths: Tensor | list[int] | None = None
    ) -> tuple[Any, CubaState]:
        """``x`` -> spikes of the same shape and CubaState ``[B, C, ..]``; arguments as of LIF."""
        return run_time_first(self._run, x, as_state(CubaState, state, x), lengths, self.batch_first)

    @full_precision
    def _run(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, CubaState]:
        batch, units = x.shape[1], x.shape[2:]
        inputs = without_padding(x, lengths).flatten(2).contiguous()
        mask = None if lengths is None else valid_mask(lengths, x).unsqueeze(-1)
        names = CubaState._fields
        given = CubaState(*(x.new_zeros(batch, *units) for _ in names)) if state is None else state
        start = CubaState(
            *(check_state(f"state.{n}", s, (batch, *units)).flatten(1) for n, s in zip(names, given, strict=True))
        )
        spikes, end = scan(self.current_step, inputs, None, start, self._params(units), mask)
        report(Seen(self, "", inputs, spikes, mask, torch.zeros_like(start.v)))
        return spikes.unflatten(2, units), CubaState(*(s.unflatten(1, units) for s in end))

    def _params(self, units: torch.Size) -> CubaParams:
        """Parameters of every unit of an element, ``[1, U]``."""
        neuron = self.params(units)
        leak = clamp_through(self.current_leak, 0, 1)
        wide = leak.view(1, 1) if self.channels is None else leak.repeat_interleave(units[1:].numel()).unsqueeze(0)
        return CubaParams(neuron.threshold, neuron.leak, wide)
