"""Recurrent layers with the conventions of ``torch.nn.LSTM``: float, hard, quantised and spiking."""

from __future__ import annotations

from typing import Any, NamedTuple, TypedDict

import torch
from torch import Tensor
from typing_extensions import Unpack

from spikeseq.errors import ConfigError
from spikeseq.nn.encoding import InputCode
from spikeseq.nn.encoding import input_encoding as input_encoding_of
from spikeseq.nn.kinds import GridKind, GRUKind, HardKind, LSTMKind, QuantizedKind, StreamKind
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.replicas import SpikingLSTMState, join_replicas
from spikeseq.ops import wavefront
from spikeseq.ops.precision import full_precision
from spikeseq.ops.schedule import Order
from spikeseq.shapes import check_batch, check_dtype, check_max_packet, check_time_steps


class Conventions(TypedDict, total=False):
    """Keyword arguments shared with ``torch.nn.LSTM``."""

    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    device: Any
    dtype: Any


class LSTM(Recurrent):
    """Float LSTM through the engine: equal to ``torch.nn.LSTM``; equation in ops/cells/lstm.py."""

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, **conventions: Unpack[Conventions]
    ) -> None:
        super().__init__(LSTMKind(), input_size, hidden_size, num_layers, **conventions)


class GRU(Recurrent):
    """Float GRU through the engine: equal to ``torch.nn.GRU``; the state is ``GRUState(h)``; ops/cells/gru.py."""

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, **conventions: Unpack[Conventions]
    ) -> None:
        super().__init__(GRUKind(), input_size, hidden_size, num_layers, **conventions)


class HardLSTM(Recurrent):
    """LSTM with clipped-line activations: the source network of a conversion; ops/cells/hard_lstm.py.

    Beside the weights: ``threshold_l{k} [3, H]`` (ranges of the gates i, f, o) and ``clip_l{k} [H]`` (range of g), learned.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, **conventions: Unpack[Conventions]
    ) -> None:
        super().__init__(HardKind(), input_size, hidden_size, num_layers, **conventions)


class QuantizedLSTM(Recurrent):
    """Hard LSTM whose gates and output have T levels: the training graph of SpikingLSTM; ops/cells/hard_lstm.py.

    time_steps  T, levels of the gates: a power of two up to 16
    shift       1/2 (optimal) or 0 (none), in levels
    input_encoding, input_levels  how W x is formed: "direct", "int8" or "delta", and its steps from 0 to the largest value
                (nn/encoding.py; ``input_step_l0 [I]``, fitted by a conversion)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        time_steps: int = 2,
        shift: float = 0.5,
        input_encoding: InputCode = "direct",
        input_levels: int | None = None,
        **conventions: Unpack[Conventions],
    ) -> None:
        encoding = input_encoding_of(input_encoding, input_levels)
        kind = QuantizedKind(check_time_steps(time_steps), check_shift(shift), encoding)
        super().__init__(kind, input_size, hidden_size, num_layers, **conventions)


class _NodeWise(Recurrent):
    """A spiking layer that can also run node by node (n, t, layer) in a chosen order."""

    @full_precision
    def run(self, x: Tensor, state: Any = None, order: Order = "wavefront") -> RunResult:
        """Run the sequence node by node, for inference: exact in every order (ops/wavefront.py).

        x      ``[L, B, I]``, or ``[B, L, I]`` with ``batch_first``;  order one of ops/schedule.py
        Raises ConfigError for a bidirectional layer: its backward direction has no streaming order.
        """
        if self.bidirectional:
            raise ConfigError("bidirectional=True: a backward direction cannot run in streaming order; use forward()")
        check_batch(x, self.input_size, self.batch_first)
        check_dtype(x, self.weight_ih_l0)
        signal = steps = x.transpose(0, 1) if self.batch_first else x
        states = [self.kind.enter(s) for s in self._states(state, steps)]
        layers = []
        for part, layer in self._parts():
            values = self.part(part)
            projection, recurrent = self.kind.projection(steps, values)
            signal = projection.x if layer == 0 else signal
            layers.append(
                wavefront.LayerWeights(projection.weight, projection.bias, recurrent, self.kind.params(values))
            )
        step: Any = self.kind.step()
        result = wavefront.run(step, layers, signal, states, order)
        last = [join_replicas(s) for s in result.states]
        mean = result.spikes[-1].sum(1) / self.kind.time_steps
        h, streams = (torch.stack(values) for values in zip(*last, strict=True))
        output = mean.transpose(0, 1) if self.batch_first else mean
        return RunResult(output, SpikingLSTMState(h, streams), result.spikes, result.cycles)


class RunResult(NamedTuple):
    """What :meth:`SpikingLSTM.run` gives."""

    output: Tensor  # as forward()
    state: SpikingLSTMState
    spikes: list[Tensor]  # per layer [L, T, B, H]
    cycles: int


class SpikingLSTM(_NodeWise):
    """Spiking LSTM on the grid (n, t): equals QuantizedLSTM of the same T; ops/cells/grid.py.

    time_steps  T: a power of two up to 16
    max_packet  None: packets as large as they come (exact); 1: strict unit spikes (fine-tune it); or any limit
    shift       1/2 (optimal) or 0 (none), in levels
    input_encoding, input_levels  as of QuantizedLSTM
    The output is the average over T of the spikes, ``[L, B, H]``; the state is SpikingLSTMState (nn/replicas.py).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        time_steps: int = 2,
        max_packet: int | None = None,
        shift: float = 0.5,
        input_encoding: InputCode = "direct",
        input_levels: int | None = None,
        **conventions: Unpack[Conventions],
    ) -> None:
        encoding = input_encoding_of(input_encoding, input_levels)
        kind = GridKind(check_time_steps(time_steps), check_shift(shift), encoding, check_max_packet(max_packet))
        super().__init__(kind, input_size, hidden_size, num_layers, **conventions)


class StreamLSTM(_NodeWise):
    """Per-t streams with binary IF (leak 1) or LIF gates, threshold and leak learned (S1); ops/cells/streams.py.

    time_steps  T: a power of two up to 16
    leak        1: IF gates, fixed; below 1: LIF gates, first value of the learned ``leak_l{k} [3, H]``, factor per time step
    shift       1/2: add the optimal shift, which follows leak and threshold; 0: none
    input_encoding, input_levels  as of QuantizedLSTM
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        time_steps: int = 2,
        leak: float = 1.0,
        shift: float = 0.5,
        input_encoding: InputCode = "direct",
        input_levels: int | None = None,
        **conventions: Unpack[Conventions],
    ) -> None:
        encoding = input_encoding_of(input_encoding, input_levels)
        kind = StreamKind(check_time_steps(time_steps), check_shift(shift), encoding, leak=check_leak(leak))
        super().__init__(kind, input_size, hidden_size, num_layers, **conventions)
        for part, _ in self._parts():
            self.part(part)["leak"].requires_grad_(leak < 1)


def check_shift(shift: float) -> float:
    """Return ``shift`` if it is 1/2 (the optimum) or 0 (none)."""
    if shift not in (0, 0.5):
        raise ConfigError(f"shift={shift!r}: pass 0.5 (optimal) or 0.0 (none)")
    return float(shift)


def check_leak(leak: float) -> float:
    """Return ``leak`` if it is in [0, 1]."""
    if not 0 <= leak <= 1:
        raise ConfigError(f"leak={leak!r}: a factor per time step from 0 to 1; 1 means no leak")
    return float(leak)
