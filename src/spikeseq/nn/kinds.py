"""What tells one recurrent layer from another: its step, extra parameters, weight layout and state.

nn/recurrent.py (layers) and nn/cell.py (single elements) hold the conventions once and take one of these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from spikeseq.nn.encoding import InputEncoding
from spikeseq.nn.replicas import SpikingLSTMState, join_replicas, split_replicas
from spikeseq.ops.cells.grid import GridStep
from spikeseq.ops.cells.gru import GRUState, GRUStep
from spikeseq.ops.cells.hard_lstm import HardLSTMStep, HardParams, QuantizedLSTMStep
from spikeseq.ops.cells.lstm import LSTMState, LSTMStep
from spikeseq.ops.cells.streams import StreamParams, StreamStep
from spikeseq.ops.reference import MaskedStep, Step
from spikeseq.ops.scan import Projection, scan
from spikeseq.ops.spike import clamp_through

SIGMOID_WIDTH = 4.0  # a hard sigmoid this wide has the slope of the sigmoid at 0
SMALLEST = 1e-3  # thresholds and clip ranges stay positive in training


class Pass(NamedTuple):
    """One direction of one layer along a sequence."""

    x: Tensor  # [L, *lead, I] what the input weights multiplied
    output: Tensor  # [L, *lead, H]
    state: tuple[Tensor, ...]  # public, after the last element
    first: Tensor  # [*lead, H] what had been transmitted before the first element


class Kind(ABC):
    """One kind of recurrent cell."""

    gates: ClassVar[int] = 4  # rows of a weight matrix, in units of H
    keeps: ClassVar[int] = 1  # which of these blocks is the gate that keeps the memory: its bias is the forget bias
    state_type: ClassVar[Any] = LSTMState  # public state, fields [D, B, ..]
    time_steps: int = 1
    replicated: ClassVar[bool] = False  # whether spikes carry a time-step axis T
    spikes: ClassVar[bool] = False  # whether spikes or levels, not analog values, are transmitted

    @property
    def input_state(self) -> bool:
        """Whether the first layer's input has a state of its own, the last field, ``[directions, B, I]``."""
        return False

    @abstractmethod
    def step(self) -> Step | MaskedStep:
        """Return the pure step."""

    def shapes(self, width: int, hidden: int, bias: bool) -> dict[str, tuple[int, ...]]:
        """Shapes of weights and biases by name, for ``width`` values from below; those of ``nn.LSTM``."""
        rows = self.gates * hidden
        weights = {"weight_ih": (rows, width), "weight_hh": (rows, hidden)}
        return {**weights, "bias_ih": (rows,), "bias_hh": (rows,)} if bias else {**weights}

    def initialize(self, name: str, value: Tensor, hidden: int) -> None:
        """Fill a fresh weight or bias: uniform in ``+-1 / sqrt(H)``, as in ``nn.LSTM``."""
        nn.init.uniform_(value, -(hidden**-0.5), hidden**-0.5)

    def buffers(self, hidden: int) -> dict[str, Tensor]:
        """Initial values of what is measured in training and frozen in evaluation."""
        return {}

    def input_buffers(self) -> dict[str, Tensor]:
        """Initial values of further buffers of the first layer."""
        return {}

    def run(
        self, x: Tensor, values: Mapping[str, Tensor], state: tuple[Tensor, ...], mask: Tensor | None, training: bool
    ) -> Pass:
        """Run one direction of one layer: ``x [L, *lead, I]``, parameters and buffers by plain name, public state."""
        projection, recurrent = self.projection(x, values)
        start = self.enter(state)
        output, end = scan(self.step(), projection, recurrent, start, self.params(values), mask)
        return Pass(projection.x, output, self.leave(end), start[0])

    def extra(self, hidden: int) -> dict[str, Tensor]:
        """Initial values of the parameters beside weights and biases."""
        return {}

    def input_extra(self, width: int) -> dict[str, Tensor]:
        """Initial values of further parameters of the first layer, which takes ``width`` features."""
        return {}

    def params(self, values: Mapping[str, Tensor]) -> Any:
        """Parameters of the step, batch axis added, from the values named by :meth:`extra`."""
        return ()

    def projection(self, x: Tensor, w: Mapping[str, Tensor]) -> tuple[Projection, Tensor]:
        """Input product and recurrent weight from ``weight_ih, weight_hh`` and, if there, ``bias_ih, bias_hh``."""
        bias = w["bias_ih"] + w["bias_hh"] if "bias_ih" in w else None
        return Projection(x, w["weight_ih"], bias), w["weight_hh"]

    def take_in(self, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """State as a caller gives it -> public state."""
        return state

    def hand_out(self, state: Any) -> Any:
        """Public state -> as the caller gets it."""
        return state

    def enter(self, state: tuple[Tensor, ...]) -> Any:
        """Public state of one layer, ``[B, ..]`` -> state of the scan."""
        return LSTMState(*state)

    def leave(self, state: Any) -> tuple[Tensor, ...]:
        """State of the scan -> public state of one layer."""
        return tuple(state)


@dataclass(frozen=True)
class LSTMKind(Kind):
    """Float LSTM."""

    def step(self) -> Step:
        """Return the pure step."""
        return LSTMStep()


@dataclass(frozen=True)
class GRUKind(Kind):
    """Float GRU."""

    gates: ClassVar[int] = 3
    state_type: ClassVar[Any] = GRUState

    def step(self) -> Step:
        """Return the pure step."""
        return GRUStep()

    def projection(self, x: Tensor, w: Mapping[str, Tensor]) -> tuple[Projection, Tensor]:
        """Rows r, z, n of ``nn.GRU`` -> blocks n_x, r, z, n_h (ops/cells/gru.py)."""
        r, z, n = w["weight_ih"].chunk(3)
        weight, bias = torch.cat([n, r, z, torch.zeros_like(n)]), None
        if "bias_ih" in w:
            (i_r, i_z, i_n), (h_r, h_z, h_n) = w["bias_ih"].chunk(3), w["bias_hh"].chunk(3)
            bias = torch.cat([i_n, i_r + h_r, i_z + h_z, h_n])
        return Projection(x, weight, bias), w["weight_hh"]

    def enter(self, state: tuple[Tensor, ...]) -> Any:
        """Public state of one layer -> state of the scan."""
        return GRUState(*state)


@dataclass(frozen=True)
class HardKind(Kind):
    """Hard LSTM."""

    def step(self) -> Step:
        """Return the pure step."""
        return HardLSTMStep()

    def extra(self, hidden: int) -> dict[str, Tensor]:
        """``threshold [3, H]`` of the gates i, f, o and ``clip [H]``."""
        return {"threshold": torch.full((3, hidden), SIGMOID_WIDTH), "clip": torch.ones(hidden)}

    def params(self, values: Mapping[str, Tensor]) -> Any:
        """Positive ranges with a batch axis."""
        threshold, clip = clamp_through(values["threshold"], SMALLEST), clamp_through(values["clip"], SMALLEST)
        return HardParams(threshold.unsqueeze(1), clip.unsqueeze(0))


@dataclass(frozen=True)
class QuantizedKind(HardKind):
    """T-level quantised LSTM."""

    time_steps: int = 2
    shift: float = 0.5
    encoding: InputEncoding = field(default_factory=InputEncoding)

    def step(self) -> Step:
        """Return the pure step."""
        return QuantizedLSTMStep(self.time_steps, self.shift)

    def input_extra(self, width: int) -> dict[str, Tensor]:
        """``input_step`` of an encoded input."""
        return self.encoding.extra(width)

    def projection(self, x: Tensor, w: Mapping[str, Tensor]) -> tuple[Projection, Tensor]:
        """Input product of the encoded input, and recurrent weight."""
        x, weight = self.encoding.apply(x, w["weight_ih"], w)
        return super().projection(x, {**w, "weight_ih": weight})


@dataclass(frozen=True)
class GridKind(QuantizedKind):
    """Spiking LSTM on the grid (n, t)."""

    max_packet: int | None = None
    state_type: ClassVar[Any] = SpikingLSTMState
    replicated: ClassVar[bool] = True
    spikes: ClassVar[bool] = True

    def step(self) -> Step:
        """Return the pure step."""
        return GridStep(self.time_steps, self.shift, self.max_packet)

    def enter(self, state: tuple[Tensor, ...]) -> Any:
        """Average and streams -> replicas."""
        return split_replicas(state[0], state[1], self.time_steps, self.max_packet)

    def leave(self, state: Any) -> tuple[Tensor, ...]:
        """Replicas -> average and streams."""
        return join_replicas(state)


@dataclass(frozen=True)
class StreamKind(GridKind):
    """Per-t streams with binary IF or LIF gates (S1)."""

    leak: float = 1.0

    def step(self) -> Step:
        """Return the pure step."""
        return StreamStep(self.time_steps, shift=self.shift > 0)

    def extra(self, hidden: int) -> dict[str, Tensor]:
        """Ranges as for the hard LSTM, and ``leak [3, H]`` of the gate neurons."""
        return {**super().extra(hidden), "leak": torch.full((3, hidden), self.leak)}

    def params(self, values: Mapping[str, Tensor]) -> Any:
        """Positive ranges and leaks in [0, 1], with a batch axis."""
        hard = super().params(values)
        return StreamParams(hard.threshold, hard.clip, clamp_through(values["leak"], 0, 1).unsqueeze(1))
