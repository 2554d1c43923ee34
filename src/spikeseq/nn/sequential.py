"""Layers one behind the other along a sequence: with and without memory, states and lengths handed on."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from spikeseq.errors import ConfigError, ShapeError
from spikeseq.nn.conv import SpikingConv1d, SpikingConv2d
from spikeseq.nn.cuba import CubaLIF
from spikeseq.nn.dropout import SequenceDropout
from spikeseq.nn.graded_lif import GradedLIF
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.readout import Integrator, Last
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.sequence import over_elements, run_time_first

READOUTS = (Integrator, Last)
WITH_MEMORY = (LIF, IF, CubaLIF, GradedLIF, SpikingConv1d, SpikingConv2d, SequenceDropout, Recurrent, *READOUTS)


class Sequential(nn.Sequential):
    """Layers in a row. ``forward(x, state=None, lengths=None) -> (output, state)``.

    Layers with a memory (LIF, IF, CubaLIF, GradedLIF, SpikingConv1d, SpikingConv2d, SequenceDropout, Integrator, Last, the LSTM
    family) run along the sequence; every other module runs on all elements at once, as one batch of ``L B`` rows (padding left
    out), so that ``nn.Linear``, ``nn.Conv2d``, ``nn.MaxPool2d`` or ``nn.Flatten`` work as they are. Behind a readout
    (Integrator, Last) there is one row for each sequence. The state is a tuple with an entry for each layer, None for one
    without.

    batch_first  whether x is ``[B, L, C, ..]``; the layers themselves are time first
    """

    def __init__(self, *layers: nn.Module, batch_first: bool = False) -> None:
        super().__init__(*layers)
        self.batch_first = batch_first
        layers = tuple(self)  # a slice of another Sequential comes as one dictionary
        readouts = [i for i, layer in enumerate(layers) if isinstance(layer, READOUTS)]
        for i, layer in enumerate(layers):
            if isinstance(layer, WITH_MEMORY) and layer.batch_first:
                raise ConfigError(f"layer {i} has batch_first=True: give it to the Sequential instead")
            if isinstance(layer, WITH_MEMORY) and readouts and i > readouts[0]:
                raise ConfigError(
                    f"layer {i} ({type(layer).__name__}) stands behind a readout, where no sequence is left"
                )
        self.collapses = bool(readouts)

    def forward(
        self, input: Any, state: Any = None, lengths: Tensor | list[int] | None = None
    ) -> tuple[Any, tuple[Any, ...]]:
        """Run a batch of sequences, ``[L, B, C, ..]`` or as ``batch_first`` says, or a PackedSequence.

        Raises ShapeError when a shape does not fit; one sequence alone needs a batch axis, ``x.unsqueeze(1)``.
        """
        if isinstance(input, Tensor) and input.dim() == 2:
            raise ShapeError(f"x has shape {tuple(input.shape)}: pass a batch; x.unsqueeze(1) for one sequence")
        if state is not None and len(state) != len(self):
            raise ShapeError(f"state has {len(state)} entries: pass the {len(self)} that an earlier call returned")
        return run_time_first(self._run, input, state, lengths, self.batch_first, self.collapses)

    def _run(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, tuple[Any, ...]]:
        states: list[Any] = []
        collapsed = False
        for layer, old in zip(self, state or [None] * len(self), strict=True):
            new = None
            if isinstance(layer, WITH_MEMORY):
                x, new = layer(x, old, lengths)
                collapsed = collapsed or isinstance(layer, READOUTS)
            else:
                x = layer(x) if collapsed else over_elements(layer, x, lengths)
            states.append(new)
        return x, tuple(states)
