"""What a model is trained to do: a class for a sequence or a text; more in speech_tasks.py."""

from __future__ import annotations

from typing import Any, Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from spikeseq.data.text.texts import TokenBatch
from spikeseq.train.curriculum import pieces
from spikeseq.train.losses import distillation


class Meter(Protocol):
    """Collects the outputs of an evaluation, batch by batch."""

    def add(self, logits: Tensor, batch: Any) -> None:
        """Take in the logits of a batch."""

    def result(self) -> dict[str, float]:
        """Return the metrics; the first is the main one."""

    def score(self) -> float:
        """Return what is maximised, in [0, 1]."""

    def tally(self) -> list[float]:
        """Return what was counted, as numbers that add up over parts of the data."""

    def take(self, tally: list[float]) -> None:
        """Count what ``tally`` says instead: the sum over all processes."""


class Task(Protocol):
    """How a batch goes through a model, what it costs, and how it is measured."""

    def logits(self, model: nn.Module, batch: Any) -> Tensor:
        """Run the model on a batch."""

    def loss(self, logits: Tensor, batch: Any, label_smoothing: float) -> Tensor:
        """Return the mean loss of a batch."""

    def distill(self, logits: Tensor, target: Tensor, batch: Any, temperature: float) -> Tensor:
        """Return the mean distance from a teacher's logits."""

    def count(self, batch: Any) -> int:
        """Return over how many items ``loss`` is a mean."""

    def elements(self, batch: Any) -> int:
        """Return how many sequence elements a batch has, or a number in proportion to it."""

    def cut(self, batch: Any, longest: int) -> Any:
        """Cut a batch to sequences of at most so many elements."""

    def meter(self) -> Meter:
        """Return a meter that has seen nothing."""


class Classify:
    """A class for a sequence: cross entropy; a batch is x ``[B, L, I]``, y ``[B]``."""

    def logits(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Logits ``[B, classes]``."""
        out: Tensor = model(batch[0])
        return out

    def loss(self, logits: Tensor, batch: tuple[Tensor, Tensor], label_smoothing: float) -> Tensor:
        """Cross entropy, mean over the rows."""
        return F.cross_entropy(logits, batch[1], label_smoothing=label_smoothing)

    def distill(self, logits: Tensor, target: Tensor, batch: tuple[Tensor, Tensor], temperature: float) -> Tensor:
        """See losses.py."""
        return distillation(logits, target, temperature)

    def count(self, batch: tuple[Tensor, Tensor]) -> int:
        """Rows."""
        return len(batch[1])

    def elements(self, batch: tuple[Tensor, Tensor]) -> int:
        """Rows: they are equally long."""
        return len(batch[1])

    def cut(self, batch: tuple[Tensor, Tensor], longest: int) -> tuple[Tensor, Tensor]:
        """A random piece of each sequence keeps its class."""
        return pieces([batch[0]], None, longest)[0][0], batch[1]

    def meter(self) -> Accuracy:
        """Share of the rows."""
        return Accuracy()


class ClassifyTexts:
    """A class for a text: cross entropy; padding and true lengths are the model's business."""

    def logits(self, model: nn.Module, batch: TokenBatch) -> Tensor:
        """Logits ``[B, classes]``."""
        out: Tensor = model(batch.x, batch.lengths.cpu())
        return out

    def loss(self, logits: Tensor, batch: TokenBatch, label_smoothing: float) -> Tensor:
        """Cross entropy, mean over the texts."""
        return F.cross_entropy(logits, batch.y, label_smoothing=label_smoothing)

    def distill(self, logits: Tensor, target: Tensor, batch: TokenBatch, temperature: float) -> Tensor:
        """See losses.py."""
        return distillation(logits, target, temperature)

    def count(self, batch: TokenBatch) -> int:
        """Texts."""
        return len(batch.y)

    def elements(self, batch: TokenBatch) -> int:
        """Tokens that are there."""
        return int(batch.lengths.sum())

    def cut(self, batch: TokenBatch, longest: int) -> TokenBatch:
        """A random piece of each text keeps its class."""
        (tokens,), lengths = pieces([batch.x], batch.lengths, longest)
        assert lengths is not None
        return TokenBatch(tokens, lengths, batch.y)

    def meter(self) -> Accuracy:
        """Share of the texts."""
        return Accuracy()


class Accuracy:
    """Share of rows classified correctly."""

    def __init__(self) -> None:
        self.hits, self.rows = 0, 0

    def add(self, logits: Tensor, batch: tuple[Tensor, ...]) -> None:
        """Count hits; the labels are the last part of a batch."""
        self.hits += int((logits.argmax(-1) == batch[-1]).sum())
        self.rows += len(batch[-1])

    def result(self) -> dict[str, float]:
        """``accuracy``."""
        return {"accuracy": self.hits / self.rows}

    def score(self) -> float:
        """The accuracy."""
        return self.hits / self.rows

    def tally(self) -> list[float]:
        """Hits and rows."""
        return [self.hits, self.rows]

    def take(self, tally: list[float]) -> None:
        """The same, of all processes."""
        self.hits, self.rows = (int(number) for number in tally)
