r"""Convolutional encoder-decoder with attention: spiking, or its twins with ReLU or gated linear units.

::

    encoder   r = W e;  blocks (block.py), not causal;  k = W_k N(r);  values w = (k + e) / 2
    decoder   r = W e;  for each block, causal:  r <- block(r);  c = attention(W_q N(r) + e, k, w);  r <- r + W_c c
              d = W_d N(r);  logits = E d + b

Of a spiking network ("lif", "if" or "graded_lif") the weights of every product get spikes, graded ones (graded.py) of d and, in
attention mode "shift", of c; but for W e, which is a look-up: tokens and positions are finitely many. Membranes are carried
along the sentence.

Sources: Gehring et al. (2017), arXiv:1705.03122; Rathi & Roy, LITE-SNN, IEEE TCDS 16(6), 2024, whose network is not public.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spikeseq.nn.translation.attention import LEVELS, REACH, Attention
from spikeseq.nn.translation.base import Decoded, Translator, Words, word_table
from spikeseq.nn.translation.block import Block
from spikeseq.nn.translation.graded import GradedLinear
from spikeseq.nn.translation.units import SPIKING, Units, check_activation, currents
from spikeseq.shapes import check_size


class Memory(NamedTuple):
    """What the decoder reads of the source."""

    keys: Tensor  # [B, S, E]
    values: Tensor  # [B, S, E]
    there: Tensor  # [B, S] False at padding


class DecoderState(NamedTuple):
    """Where a decoder stands in its sentence."""

    position: int
    blocks: tuple[Any, ...]  # for each: (BlockState, state of the query's units)
    last: Any  # state of the last units


class Encoder(nn.Module):
    """Source tokens -> memory."""

    def __init__(self, words: Words, channels: int, blocks: list[Block], units: Units) -> None:
        super().__init__()
        width = words.table.embedding_dim
        self.words, self.blocks, self.units = words, nn.ModuleList(blocks), units
        self.to_current = currents(width, channels, 1.0)
        self.to_key = nn.Linear(channels, width)

    def forward(self, source: Tensor, lengths: Tensor) -> Memory:
        """``source [B, S]``, ``lengths [B]``."""
        embedded = self.words(source)
        r = self.to_current(embedded)
        for block in self.blocks:
            r, _ = block(r, None, lengths)
        keys = self.to_key(self.units(r, None, lengths)[0])
        there = torch.arange(source.shape[1]) < lengths[:, None]
        values = (keys + embedded) * 0.5
        return Memory(keys.transpose(0, 1), values.transpose(0, 1), there.to(source.device))


class Decoder(nn.Module):
    """Target so far and memory -> logits."""

    def __init__(
        self, words: Words, channels: int, blocks: list[Block], units: list[Units], mode: str, levels: int, reach: float
    ) -> None:
        super().__init__()
        width = words.table.embedding_dim
        self.words, self.blocks, self.units = words, nn.ModuleList(blocks), nn.ModuleList(units)
        self.to_current = currents(width, channels, 1.0)
        self.to_query = nn.ModuleList(nn.Linear(channels, width) for _ in blocks)
        self.attention = Attention(mode)
        self.from_context = nn.ModuleList(
            GradedLinear(width, channels, LEVELS if mode == "shift" else 0, reach=REACH) for _ in blocks
        )
        self.to_word = nn.Linear(channels, width)
        self.dropout = nn.Dropout(words.dropout.p)
        self.to_logits = GradedLinear(width, words.table.num_embeddings, levels, reach=reach)
        self.to_logits.weight = words.table.weight
        nn.init.zeros_(self.to_logits.bias)

    def forward(self, target: Tensor, memory: Memory, state: DecoderState | None) -> Decoded:
        """``target [B, L]`` from where ``state`` stands."""
        start = state or DecoderState(0, tuple((None, None) for _ in self.blocks), None)
        embedded = self.words(target, start.position)
        r = self.to_current(embedded)
        found, seen = [], []
        for i, (block, old) in enumerate(zip(self.blocks, start.blocks, strict=True)):
            r, own = block(r, old[0])
            sent, units = self.units[i](r, old[1])
            query = (self.to_query[i](sent) + embedded).transpose(0, 1)
            context, weights = self.attention(query, *memory)
            r = r + self.from_context[i](context.transpose(0, 1))
            found.append((own, units))
            seen.append(weights)
        sent, last = self.units[-1](r, start.last)
        logits = self.to_logits(self.dropout(self.to_word(sent)).transpose(0, 1))
        state = DecoderState(start.position + target.shape[1], tuple(found), last)
        return Decoded(logits, state, torch.stack(seen).detach().sum(0))


class ConvTranslator(Translator):
    """The network of this file.

    vocabulary, positions     tokens there are; most of them in a sentence
    activation                one of ACTIVATIONS (units.py)
    attention                 "softmax", or "shift": accumulate-only
    embedding_size, hidden_size, blocks, kernel_size   E, channels of r, blocks on either side, taps k
    dropout                   of embeddings and of d by value, of what convolutions get a mask for each sentence
    levels, reach             of the graded spikes d; spiking only
    options                   further arguments of the neurons: leak, dyadic_leak, surrogate, levels, ..
    """

    def __init__(
        self,
        vocabulary: int,
        activation: str = "lif",
        attention: str = "softmax",
        embedding_size: int = 128,
        hidden_size: int = 256,
        blocks: int = 3,
        kernel_size: int = 3,
        dropout: float = 0.25,
        positions: int = 100,
        levels: int = 4,
        reach: float = 1.0,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        own = options or {}
        check_activation(activation, own)
        self.vocabulary, self.positions = vocabulary, positions
        self.sizes = {
            "embedding_size": embedding_size, "hidden_size": hidden_size, "layers": blocks, "dropout": dropout,
            "kernel_size": kernel_size, "positions": positions,
        }  # fmt: skip
        table = word_table(vocabulary, embedding_size)

        def units() -> Units:
            return Units(activation, hidden_size, own)

        def stack(causal: bool) -> list[Block]:
            number = range(check_size("blocks", blocks))
            return [Block(hidden_size, kernel_size, causal, activation, dropout, own) for _ in number]

        self.encoder = Encoder(Words(table, positions, dropout), hidden_size, stack(causal=False), units())
        several = [units() for _ in range(blocks + 1)]
        spikes = levels if activation in SPIKING else 0
        words = Words(table, positions, dropout)
        self.decoder = Decoder(words, hidden_size, stack(causal=True), several, attention, spikes, reach)

    def encode(self, source: Tensor, lengths: Tensor) -> Memory:
        """See Translator."""
        memory: Memory = self.encoder(source, lengths)
        return memory

    def decode(self, target: Tensor, memory: Memory, state: DecoderState | None = None) -> Decoded:
        """See Translator."""
        decoded: Decoded = self.decoder(target, memory, state)
        return decoded
