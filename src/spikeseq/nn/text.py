r"""Text classification with the membrane as the only memory (LITE-SNN), and recurrent networks of the same width beside it.

Tokens -> embedding E -> body of width H -> head; the masks of dropout d and d_E are drawn once for each sequence::

    lif, if, relu   drop d_E - [Linear - neurons - drop d] x layers - Linear(H, H) - integrator over the true length
    rnn, gru, lstm  drop d_E - one recurrent layer (E, H) - its last element - drop d
    head            "linear": Linear(H, classes);  "mlp": Linear(H, H) - ReLU - dropout 1/2 - Linear(H, classes)

At E = 100, H = 256, with two layers of neurons and one threshold and leak for each, the body has 157,444 parameters; that of
an LSTM has 366,592, of a GRU 274,944.

Source: Rathi & Roy, LITE-SNN, IEEE TCDS 16(6), 2024. Other than there: padding is masked, the true length divides.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError, ShapeError, nearest
from spikeseq.nn.dropout import SequenceDropout
from spikeseq.nn.memory import NEURONS, check_cell, gated, integrating
from spikeseq.nn.readout import Integrator
from spikeseq.nn.sequential import Sequential
from spikeseq.shapes import check_size


class TextClassifier(nn.Module):
    """Tokens ``[B, L]`` -> logits ``[B, classes]``.

    vocabulary, classes   how many tokens and labels there are; token 0 is padding
    cell                  one of CELLS (nn/memory.py)
    layers                layers of neurons ("lif", "if", "relu")
    per_channel           a threshold and a leak for each channel, not for each layer
    dropout, embedding_dropout   d and d_E
    options               further arguments of the neurons or the recurrent layer: leak, dyadic_leak, time_steps, ..
    """

    def __init__(
        self,
        vocabulary: int,
        classes: int = 2,
        cell: str = "lif",
        hidden_size: int = 256,
        embedding_size: int = 100,
        layers: int = 2,
        per_channel: bool = False,
        dropout: float = 0.2,
        embedding_dropout: float = 0.5,
        head: Literal["linear", "mlp"] = "linear",
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if head not in ("linear", "mlp"):
            raise ConfigError(f"head={head!r}: {nearest(str(head), ('linear', 'mlp'))}")
        own = options or {}
        self.cell = check_cell(cell, own)
        self.classes = check_size("classes", classes)
        check_size("hidden_size", hidden_size)
        check_size("embedding_size", embedding_size)
        self._sizes: tuple[Any, ...] = (
            hidden_size,
            embedding_size,
            layers,
            per_channel,
            dropout,
            embedding_dropout,
            head,
        )
        self.embedding = nn.Embedding(check_size("vocabulary", vocabulary), embedding_size, padding_idx=0)
        sizes = [embedding_size, *(hidden_size for _ in range(check_size("layers", layers)))]
        body = (
            integrating(cell, sizes, hidden_size, per_channel, dropout, own)
            if cell in NEURONS
            else gated(cell, embedding_size, hidden_size, dropout, own)
        )
        self.body = Sequential(SequenceDropout(embedding_dropout), *body)
        last = nn.Linear(hidden_size, classes)
        deep = nn.Sequential(nn.Linear(hidden_size, hidden_size), nn.ReLU(), nn.Dropout(0.5), last)
        self.head: nn.Module = last if head == "linear" else deep

    def twin(self, cell: str) -> TextClassifier:
        """A network of the same sizes with another memory, fresh weights and no options."""
        return TextClassifier(self.embedding.num_embeddings, self.classes, cell, *self._sizes)

    @property
    def once(self) -> tuple[str, ...]:
        """Names of the modules that run once for a text, not for each token, beside a recurrent layer's last element."""
        return (f"body.{self._readout}", "head")

    @property
    def body_parameters(self) -> int:
        """Parameters without embedding and head."""
        return sum(p.numel() for p in self.body.parameters())

    def forward(self, tokens: Tensor, lengths: Tensor | list[int] | None = None) -> Tensor:
        """``tokens [B, L]`` int64, true ``lengths [B]`` or None (all L) -> logits ``[B, classes]``; padding changes nothing."""
        return self.chunk(tokens, None, lengths)[0]

    def chunk(self, tokens: Tensor, state: Any = None, lengths: Tensor | list[int] | None = None) -> tuple[Tensor, Any]:
        """The logits after one more part of each text, and the state to go on from."""
        found, state = self.body(self._embed(tokens), state, lengths)
        return self.head(found), state

    @torch.no_grad()
    def running(self, tokens: Tensor) -> Tensor:
        """The logits after every token of whole texts, ``[B, L, classes]``; without dropout."""
        training = self.training
        self.eval()
        try:
            *before, readout = list(self.body)[: self._readout + 1]
            signal, _ = Sequential(*before)(self._embed(tokens))
            values = readout.running(signal) if isinstance(readout, Integrator) else signal
            return self.head(values).transpose(0, 1)
        finally:
            self.train(training)

    @property
    def _readout(self) -> int:
        """Which layer of the body reads out."""
        return len(self.body) - (1 if self.cell in NEURONS else 2)

    def _embed(self, tokens: Tensor) -> Tensor:
        """``[B, L] -> [L, B, E]``. Raises ShapeError for what are no tokens of the vocabulary."""
        if tokens.dim() != 2 or tokens.dtype not in (torch.int32, torch.int64) or tokens.shape[1] == 0:
            raise ShapeError(
                f"tokens has shape {tuple(tokens.shape)} and dtype {tokens.dtype}: pass whole numbers [B, L] (int64)"
            )
        if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < self.embedding.num_embeddings:
            raise ShapeError(
                f"tokens run from {int(tokens.min())} to {int(tokens.max())}: the vocabulary has "
                f"{self.embedding.num_embeddings}; encode with the tokenizer that the model was trained with"
            )
        embedded: Tensor = self.embedding(tokens.t())
        return embedded
