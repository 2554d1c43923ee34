"""Plain recurrent layers with the conventions of ``torch.nn.RNN`` (tanh)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import Unpack

from spikeseq.nn.kinds import Kind
from spikeseq.nn.lstm import Conventions
from spikeseq.nn.recurrent import Recurrent
from spikeseq.ops.cells.rnn import RNNState, RNNStep
from spikeseq.ops.reference import Step


@dataclass(frozen=True)
class RNNKind(Kind):
    """Plain recurrent network."""

    gates: ClassVar[int] = 1
    state_type: ClassVar[Any] = RNNState

    def step(self) -> Step:
        """Return the pure step."""
        return RNNStep()

    def enter(self, state: tuple[Any, ...]) -> Any:
        """Public state of one layer -> state of the scan."""
        return RNNState(*state)


class RNN(Recurrent):
    """Plain recurrent layer through the engine: equal to ``torch.nn.RNN``; the state is ``RNNState(h)``; ops/cells/rnn.py."""

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, **conventions: Unpack[Conventions]
    ) -> None:
        super().__init__(RNNKind(), input_size, hidden_size, num_layers, **conventions)
