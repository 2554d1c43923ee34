"""What a text data set is once it is loaded: rows of tokens, each of its own length, with one label each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from spikeseq.data.text.tokenizer import PAD, Tokenizer
from spikeseq.errors import DataError


class TokenBatch(NamedTuple):
    """Some rows, padded to the longest of them."""

    x: Tensor  # [B, L] int64 tokens, PAD behind each row's length
    lengths: Tensor  # [B] int64
    y: Tensor  # [B] int64


@dataclass(frozen=True, eq=False)
class Texts:
    """Rows of tokens end to end: row i is ``tokens[offset[i]:offset[i + 1]]``."""

    tokens: np.ndarray  # [total] int32
    offset: np.ndarray  # [N + 1] int64
    y: Tensor  # [N] int64

    def __len__(self) -> int:
        return len(self.y)

    @property
    def length(self) -> np.ndarray:
        """Tokens of each row, int64 [N]."""
        return np.diff(self.offset)

    def batch(self, rows: Sequence[int] | Tensor) -> TokenBatch:
        """Return some rows."""
        chosen = [int(row) for row in rows]
        parts = [torch.from_numpy(self.tokens[self.offset[r] : self.offset[r + 1]].astype(np.int64)) for r in chosen]
        padded = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=PAD)
        return TokenBatch(padded, torch.tensor([len(p) for p in parts]), self.y[chosen])


@dataclass(frozen=True, eq=False)
class TextData:
    """A data set for text classification.

    name, source, licence   what it is, where it comes from, what may be done with it
    train, valid, test      no text is in two of them
    classes                 the name of each label
    tokenizer               what made the tokens
    skipped                 texts that could not be used, by reason

    Raises DataError when a split is empty, holds an empty row, a token that is none or a label that is no class.
    """

    name: str
    train: Texts
    valid: Texts
    test: Texts
    classes: tuple[str, ...]
    tokenizer: Tokenizer
    source: str
    licence: str
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for which, split in (("train", self.train), ("valid", self.valid), ("test", self.test)):
            _check(f"data set {self.name!r}, {which}", split, len(self.tokenizer), len(self.classes))

    @property
    def input_size(self) -> int:
        """Size of the vocabulary."""
        return len(self.tokenizer)

    @property
    def num_classes(self) -> int:
        """Number of labels."""
        return len(self.classes)


def _check(where: str, split: Texts, vocabulary: int, classes: int) -> None:
    if not len(split):
        raise DataError(f"{where} is empty; leave at least one text in every split")
    if len(split.offset) != len(split) + 1 or split.length.min() < 1 or split.offset[-1] != len(split.tokens):
        raise DataError(f"{where}: {len(split)} labels and rows of {split.length.tolist()[:5]}.. tokens do not fit")
    for what, low, high, number in (
        ("tokens", int(split.tokens.min()), int(split.tokens.max()), vocabulary),
        ("labels", int(split.y.min()), int(split.y.max()), classes),
    ):
        if low < 0 or high >= number:
            raise DataError(f"{where}: {what} run from {low} to {high}; expected 0 to {number - 1}")


def to_texts(rows: Sequence[np.ndarray], labels: Sequence[int]) -> Texts:
    """Put rows of tokens end to end."""
    offset = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int64)
    tokens = np.concatenate(list(rows)) if len(rows) else np.zeros(0, np.int32)
    return Texts(tokens, offset, torch.tensor(list(labels), dtype=torch.int64))
