r"""LSTM encoder-decoder with attention: the baseline with gates.

::

    encoder   m = both directions of an LSTM over e;  keys W_k m, values m
    decoder   y = LSTM over e, from W_h of the encoder's last states;  c = attention(y, W_k m, m)
              d = tanh(W_d [c; y]);  logits = E d + b

Source: Luong, Pham & Manning (2015), arXiv:1508.04025, global attention of the form "general", without input feeding.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from spikeseq.nn.translation.attention import Attention
from spikeseq.nn.translation.base import Decoded, Translator, Words, word_table
from spikeseq.ops.precision import full_precision
from spikeseq.shapes import check_size


class Memory(NamedTuple):
    """What the decoder reads of the source."""

    keys: Tensor  # [B, S, H]
    values: Tensor  # [B, S, 2 H]
    there: Tensor  # [B, S] False at padding
    h: Tensor  # [B, layers, H] the decoder's first state
    c: Tensor  # [B, layers, H]


class DecoderState(NamedTuple):
    """Where the decoder stands."""

    position: int
    h: Tensor  # [B, layers, H]
    c: Tensor  # [B, layers, H]


class LSTMTranslator(Translator):
    """The network of this file; H units in each direction of the encoder and in the decoder."""

    def __init__(
        self,
        vocabulary: int,
        embedding_size: int = 128,
        hidden_size: int = 256,
        layers: int = 1,
        dropout: float = 0.25,
        positions: int = 100,
    ) -> None:
        super().__init__()
        self.vocabulary, self.positions = vocabulary, positions
        self.sizes = {
            "embedding_size": embedding_size, "hidden_size": hidden_size, "layers": layers, "dropout": dropout,
            "positions": positions,
        }  # fmt: skip
        table = word_table(vocabulary, embedding_size)
        inner = dropout if check_size("layers", layers) > 1 else 0.0
        hidden = check_size("hidden_size", hidden_size)
        self.source_words, self.target_words = Words(table, positions, dropout), Words(table, positions, dropout)
        self.encoder = nn.LSTM(embedding_size, hidden, layers, dropout=inner, bidirectional=True)
        self.bridge_h, self.bridge_c = nn.Linear(2 * hidden, hidden), nn.Linear(2 * hidden, hidden)
        self.to_key = nn.Linear(2 * hidden, hidden, bias=False)
        self.decoder = nn.LSTM(embedding_size, hidden, layers, dropout=inner)
        self.attention = Attention()
        self.to_word = nn.Linear(3 * hidden, embedding_size)
        self.dropout = nn.Dropout(dropout)
        self.to_logits = nn.Linear(embedding_size, vocabulary)
        self.to_logits.weight = table.weight
        nn.init.zeros_(self.to_logits.bias)

    @full_precision  # not every processor has an LSTM in bfloat16
    def encode(self, source: Tensor, lengths: Tensor) -> Memory:
        """See Translator."""
        packed = pack_padded_sequence(self.source_words(source), lengths.cpu(), enforce_sorted=False)
        found, last = self.encoder(packed)
        memory = self.dropout(pad_packed_sequence(found, total_length=source.shape[1])[0].transpose(0, 1))
        # [layers x 2, B, H] -> [B, layers, 2 H]
        h, c = (s.unflatten(0, (-1, 2)).permute(2, 0, 1, 3).flatten(2) for s in last)
        there = (torch.arange(source.shape[1]) < lengths.cpu()[:, None]).to(source.device)
        return Memory(self.to_key(memory), memory, there, torch.tanh(self.bridge_h(h)), self.bridge_c(c))

    @full_precision
    def decode(self, target: Tensor, memory: Memory, state: DecoderState | None = None) -> Decoded:
        """See Translator."""
        start = state or DecoderState(0, memory.h, memory.c)
        before = tuple(s.transpose(0, 1).contiguous() for s in start[1:])
        found, (h, c) = self.decoder(self.target_words(target, start.position), before)
        query = self.dropout(found.transpose(0, 1))
        context, weights = self.attention(query, *memory[:3])
        word = torch.tanh(self.to_word(torch.cat([context, query], -1)))
        end = DecoderState(start.position + target.shape[1], h.transpose(0, 1), c.transpose(0, 1))
        return Decoded(self.to_logits(self.dropout(word)), end, weights.detach())
