r"""Translation as a task: the next token of the target, given the source and what stands before it.

``loss = mean over target tokens (END among them) of the cross entropy``, with label smoothing; padding is in no loss and no
metric. While training, the share of tokens guessed right is measured; in the end, BLEU of whole translations.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from spikeseq.data.text.pairs import PairBatch
from spikeseq.data.text.tokenizer import PAD
from spikeseq.errors import ConfigError
from spikeseq.train.losses import distillation


class Translate:
    """The next token of the target.

    width   of the beam of the final test; 0: the most probable token each time
    """

    def __init__(self, width: int = 0) -> None:
        self.width = width

    def logits(self, model: nn.Module, batch: PairBatch) -> Tensor:
        """Logits ``[B, L, V]`` of the tokens behind BEGIN."""
        out: Tensor = model(batch.source, batch.target[:, :-1], batch.source_lengths.cpu())
        return out

    def loss(self, logits: Tensor, batch: PairBatch, label_smoothing: float) -> Tensor:
        """Cross entropy, mean over the target tokens."""
        wanted = batch.target[:, 1:].flatten()
        return F.cross_entropy(logits.flatten(0, 1), wanted, ignore_index=PAD, label_smoothing=label_smoothing)

    def distill(self, logits: Tensor, target: Tensor, batch: PairBatch, temperature: float) -> Tensor:
        """Mean over the target tokens."""
        there = batch.target[:, 1:] != PAD
        return distillation(logits[there], target[there], temperature)

    def count(self, batch: PairBatch) -> int:
        """Target tokens."""
        return int(batch.target_lengths.sum())

    def elements(self, batch: PairBatch) -> int:
        """Target tokens."""
        return self.count(batch)

    def cut(self, batch: PairBatch, longest: int) -> PairBatch:
        """Raises ConfigError: a sentence cannot be cut with its translation."""
        raise ConfigError(
            f"train.length_curriculum with task: translate: pairs cannot be cut to {longest} tokens; leave it out"
        )

    def meter(self) -> TokenAccuracy:
        """Share of tokens, and their mean -log P."""
        return TokenAccuracy()


class TokenAccuracy:
    """Share of target tokens guessed right when all before them are given, and their mean ``-log P``."""

    def __init__(self) -> None:
        self.hits, self.tokens, self.loss = 0, 0, 0.0

    def add(self, logits: Tensor, batch: PairBatch) -> None:
        """Count hits."""
        wanted = batch.target[:, 1:]
        there = wanted != PAD
        self.hits += int((logits.argmax(-1) == wanted)[there].sum())
        self.tokens += int(there.sum())
        self.loss += float(F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=PAD, reduction="sum"))

    def result(self) -> dict[str, float]:
        """``accuracy`` of the tokens, and ``loss``: the mean -log P, without smoothing."""
        return {"accuracy": self.score(), "loss": self.loss / max(1, self.tokens)}

    def score(self) -> float:
        """The accuracy."""
        return self.hits / self.tokens if self.tokens else 0.0

    def tally(self) -> list[float]:
        """Hits, tokens and the sum of -log P."""
        return [self.hits, self.tokens, self.loss]

    def take(self, tally: list[float]) -> None:
        """The same, of all processes."""
        self.hits, self.tokens, self.loss = int(tally[0]), int(tally[1]), tally[2]
