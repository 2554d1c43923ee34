"""What a translation data set is once it is loaded: pairs of sentences as tokens, and the sentences themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from spikeseq.data.text.tokenizer import BEGIN, END, PAD, Tokenizer
from spikeseq.errors import DataError


class PairBatch(NamedTuple):
    """Some pairs, padded at their ends to the longest of them."""

    source: Tensor  # [B, S] int64 tokens, END after each sentence, PAD behind it
    source_lengths: Tensor  # [B] int64, END included
    target: Tensor  # [B, 1 + L] int64: BEGIN, the sentence, END, PAD behind it
    target_lengths: Tensor  # [B] int64 tokens to be predicted: the sentence and END


@dataclass(frozen=True, eq=False)
class Pairs:
    """Sentences of two languages; sentence i of one translates sentence i of the other."""

    source: tuple[np.ndarray, ...]  # N of int32 tokens, without BEGIN and END
    target: tuple[np.ndarray, ...]
    source_text: tuple[str, ...]  # N sentences as they are in the file
    target_text: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.source)

    @property
    def length(self) -> np.ndarray:
        """Tokens of the longer sentence of each pair, with END, int64 [N]."""
        return np.array([max(len(s), len(t)) + 1 for s, t in zip(self.source, self.target, strict=True)], np.int64)

    def batch(self, rows: Sequence[int] | Tensor) -> PairBatch:
        """Return some pairs."""
        chosen = [int(row) for row in rows]
        source, lengths = padded([self.source[row] for row in chosen])
        target, target_lengths = padded([self.target[row] for row in chosen])
        begin = torch.full((len(chosen), 1), BEGIN)
        return PairBatch(source, lengths, torch.cat([begin, target], 1), target_lengths)


def padded(rows: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Sentences with END, ``[B, S]`` int64, PAD behind; and their lengths, END included."""
    parts = [torch.tensor([*row.tolist(), END]) for row in rows]
    lengths = torch.tensor([len(part) for part in parts])
    return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=PAD), lengths


@dataclass(frozen=True, eq=False)
class TranslationData:
    """A data set for translation.

    name, source, licence   what it is, where it comes from, what may be done with it
    train, valid, test      official splits
    tokenizer               of both languages, trained on the train split
    languages               of source and target
    lower                   whether the tokens are of lower-cased text
    skipped                 pairs that could not be used, by reason

    Raises DataError when a split is empty or its sides differ in number, or an END or BEGIN stands inside a sentence.
    """

    name: str
    train: Pairs
    valid: Pairs
    test: Pairs
    tokenizer: Tokenizer
    languages: tuple[str, str]
    lower: bool
    source: str
    licence: str
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for which, split in (("train", self.train), ("valid", self.valid), ("test", self.test)):
            sides = {len(split.source), len(split.target), len(split.source_text), len(split.target_text)}
            if len(sides) != 1 or not len(split):
                raise DataError(f"data set {self.name!r}, {which}: {sorted(sides)} sentences; pass pairs, one at least")
            for row in (*split.source, *split.target):
                if not len(row) or row.min() <= PAD or int(row.max()) >= len(self.tokenizer):
                    raise DataError(f"data set {self.name!r}, {which}: an empty sentence, or tokens that are none")

    @property
    def input_size(self) -> int:
        """Size of the vocabulary."""
        return len(self.tokenizer)

    @property
    def num_classes(self) -> int:
        """Tokens to choose from: the vocabulary, which both languages share."""
        return len(self.tokenizer)
