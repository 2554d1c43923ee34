"""One window of a recording on its way through a model: event-driven in C where that can be, else in PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from spikeseq.energy import count
from spikeseq.errors import ConfigError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.spiking import as_spiking
from spikeseq.runtime import Program, compile
from spikeseq.runtime.library import library_path
from spikeseq.runtime.recurrent import LAYERS


@dataclass(frozen=True)
class Work:
    """Operations; names as of ``spikeseq.energy.LayerCount``."""

    spikes: float = 0.0
    acs: float = 0.0
    macs: float = 0.0

    def plus(self, other: Work) -> Work:
        """Add up."""
        return Work(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


class Window(Protocol):
    """A model that hears one sequence from its start, piece by piece; the state lives here."""

    def hear(self, x: np.ndarray) -> tuple[np.ndarray, Work]:
        """Next elements ``[n, I]`` -> logits ``[classes]`` of the sequence so far, and what these elements cost."""
        ...


class EventDriven:
    """A window in the event-driven runtime."""

    def __init__(self, program: Program) -> None:
        self._stream, self._before = program.stream(), Work()

    def hear(self, x: np.ndarray) -> tuple[np.ndarray, Work]:
        """As :class:`Window`."""
        logits = self._stream.run(x)
        layers = self._stream.counters().values()
        total = Work(*(float(sum(layer[f.name] for layer in layers)) for f in fields(Work)))
        spent = total.plus(Work(*(-getattr(self._before, f.name) for f in fields(Work))))
        self._before = total
        return logits, spent


@dataclass
class Held:
    """What a window in PyTorch carries from piece to piece."""

    state: Any = None  # of the recurrent layers; None: zeros
    total: Tensor = field(default_factory=lambda: torch.zeros(1))  # sum over the elements so far of what is averaged
    elements: int = 0
    logits: Tensor = field(default_factory=lambda: torch.empty(0))


class Step(nn.Module):
    """The next elements of a sequence, with an explicit state: ``x [1, n, I]``, ``held`` is brought up to date."""

    def __init__(self, model: SequenceClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, held: Held) -> None:
        """Equal to the whole model in the end, in any pieces (nn/classifier.py: ``classify``)."""
        model = self.model
        output, held.state = model.rnn(x, held.state)
        held.elements += output.shape[1]
        if model.pooling == "last":
            held.logits = model.readout(output[:, -1])
        elif model.transmits_spikes:
            held.total = held.total + model.readout(output).sum(1)
            held.logits = held.total / held.elements
        else:
            held.total = held.total + output.sum(1)
            held.logits = model.readout(held.total / held.elements)


class InTorch:
    """A window in PyTorch, its operations counted as it runs."""

    def __init__(self, step: Step) -> None:
        self._step, self._held = step, Held()

    def hear(self, x: np.ndarray) -> tuple[np.ndarray, Work]:
        """As :class:`Window`."""
        counts = count(self._step, {"x": torch.from_numpy(x).unsqueeze(0), "held": self._held})
        spent = Work(*(float(sum(getattr(layer, f.name) for layer in counts.per_layer)) for f in fields(Work)))
        return self._held.logits[0].numpy(), spent


class Listener:
    """A trained classifier as something that opens windows; ``how`` says what runs it.

    Raises ConfigError for a bidirectional model: it needs the end of a sequence to start.
    """

    def __init__(self, model: SequenceClassifier, name: str) -> None:
        if getattr(model.rnn, "bidirectional", False):
            raise ConfigError(f"{name} is bidirectional: it cannot listen; pass a model of one direction")
        kind = type(model.rnn).__name__
        self._program: Program | None = None
        if not isinstance(model.rnn, LAYERS):
            self.how = f"in PyTorch: the event-driven runtime does not run {kind}"
        elif library_path() is None:
            self.how = "in PyTorch: the event-driven runtime was not built with this installation"
        else:
            try:
                self.how, self._program = "event-driven, in C", compile(model)
            except ConfigError as error:  # a code of more levels than the runtime has
                self.how = f"in PyTorch: {error}"
        self._step = Step(as_spiking(model).eval())

    def window(self) -> Window:
        """A window at its start."""
        return InTorch(self._step) if self._program is None else EventDriven(self._program)
