"""What every translation network is: an encoder of the source, a decoder that goes on from a state, and their table of words.

``e = 2^k E[token] + P[position]`` with k the whole number nearest to log2(sqrt(width)): E, of variance 1 / width, is also the
last layer of the decoder, logits = E d + b.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spikeseq.errors import ShapeError
from spikeseq.shapes import check_lengths, check_size

PAD = 0


class Decoded(NamedTuple):
    """What a decoder returns."""

    logits: Tensor  # [B, L, V]
    state: Any  # to go on from
    attention: Tensor | None  # [B, L, S] weights of the source's tokens, their sum over layers; None without attention


class Words(nn.Module):
    """Tokens ``[B, L]`` -> ``e [L, B, E]``; E may be shared with another table, P is its own.

    table       E as an ``nn.Embedding``
    positions   most elements of a sentence
    """

    def __init__(self, table: nn.Embedding, positions: int, dropout: float) -> None:
        super().__init__()
        self.table = table
        self.position = nn.Embedding(check_size("positions", positions), table.embedding_dim)
        nn.init.normal_(self.position.weight, std=0.3)
        self.dropout = nn.Dropout(dropout)
        self.scale = 2.0 ** round(math.log2(table.embedding_dim) / 2)  # a power of two: a shift

    def forward(self, tokens: Tensor, start: int = 0) -> Tensor:
        """``start``: position of the first token. Raises ShapeError for a sentence too long and for what are no tokens."""
        check_tokens(tokens, self.table.num_embeddings)
        end = start + tokens.shape[1]
        if end > self.position.num_embeddings:
            raise ShapeError(
                f"a sentence of {end} tokens: the table of positions has {self.position.num_embeddings}; shorten it, "
                "or train a model with more positions"
            )
        words: Tensor = self.table(tokens.t()) * self.scale
        places = self.position(torch.arange(start, end, device=tokens.device)).unsqueeze(1)
        summed: Tensor = self.dropout(words + places)
        return summed


def word_table(vocabulary: int, width: int) -> nn.Embedding:
    """E, with variance 1 / width; padding is 0."""
    table = nn.Embedding(check_size("vocabulary", vocabulary), check_size("embedding_size", width), padding_idx=PAD)
    with torch.no_grad():
        table.weight.normal_(std=width**-0.5)[PAD].zero_()
    return table


def check_tokens(tokens: Tensor, vocabulary: int) -> None:
    """Raise ShapeError for what are no tokens ``[B, L]`` of the vocabulary."""
    if tokens.dim() != 2 or tokens.is_floating_point() or tokens.numel() == 0:
        raise ShapeError(f"tokens has shape {tuple(tokens.shape)} and dtype {tokens.dtype}: pass whole numbers [B, L]")
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= vocabulary:
        raise ShapeError(
            f"tokens run from {low} to {high}: the vocabulary has {vocabulary}; encode with the model's own tokenizer"
        )


class Translator(nn.Module):
    """Source tokens and the target so far -> logits of the next token. Token 0 is padding."""

    vocabulary: int
    positions: int  # most tokens of a sentence
    sizes: dict[str, Any]  # with which translator() makes another of the same

    def encode(self, source: Tensor, lengths: Tensor) -> Any:
        """Source ``[B, S]`` with its true lengths -> what the decoder reads, a NamedTuple with the batch first."""
        raise NotImplementedError

    def decode(self, target: Tensor, memory: Any, state: Any = None) -> Decoded:
        """Target so far ``[B, L]``, from where ``state`` stands (None: its beginning)."""
        raise NotImplementedError

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | list[int] | None = None) -> Tensor:
        """Source ``[B, S]`` with true ``lengths``, target ``[B, L]`` (BEGIN first) -> logits ``[B, L, V]`` of what follows."""
        check_tokens(source, self.vocabulary)
        if len(target) != len(source):
            raise ShapeError(f"source has {len(source)} rows and target {len(target)}: pass pairs")
        whole = [source.shape[1]] * len(source) if lengths is None else lengths
        memory = self.encode(source, check_lengths(whole, *source.shape))
        return self.decode(target, memory).logits


def select(tree: Any, rows: Tensor) -> Any:
    """The given rows of a memory or state: nested NamedTuples and tuples of ``[B, ..]``; other values are handed on."""
    if isinstance(tree, Tensor):
        return tree[rows]
    if isinstance(tree, tuple):
        parts = [select(part, rows) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    return tree
