r"""Spiking encoder-decoder without convolution and attention: the baseline that fails on sentences.

::

    encoder   [Linear - LIF - dropout] x layers - Linear - integrator over the true length  ->  v0 [B, H]
    decoder   Linear - LIF whose membrane starts at v0 - dropout - [Linear - LIF - dropout] x (layers - 1) - Linear  ->  d;
              logits = E g(d) + b, g: graded spikes

All that the decoder knows of the source is one membrane. Source: Rathi & Roy, LITE-SNN, IEEE TCDS 16(6), 2024. Other than
there: true lengths divide and mask, words have positions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn

from spikeseq.nn.dropout import SequenceDropout
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.readout import Integrator
from spikeseq.nn.sequential import Sequential
from spikeseq.nn.translation.base import Decoded, Translator, Words, word_table
from spikeseq.nn.translation.graded import GradedLinear
from spikeseq.nn.translation.units import currents
from spikeseq.ops.neuron import LIFState
from spikeseq.shapes import check_size


class Memory(NamedTuple):
    """What the decoder starts from."""

    v: Tensor  # [B, H]


class DecoderState(NamedTuple):
    """Where the decoder stands."""

    position: int
    body: tuple[Any, ...]  # of the Sequential


class PlainTranslator(Translator):
    """The network of this file; ``neuron``: "lif" or "if"."""

    def __init__(
        self,
        vocabulary: int,
        neuron: str = "lif",
        embedding_size: int = 128,
        hidden_size: int = 256,
        layers: int = 2,
        dropout: float = 0.25,
        positions: int = 100,
        levels: int = 4,
        reach: float = 1.0,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.vocabulary, self.positions = vocabulary, positions
        self.sizes = {
            "embedding_size": embedding_size, "hidden_size": hidden_size, "layers": layers, "dropout": dropout,
            "positions": positions,
        }  # fmt: skip
        table = word_table(vocabulary, embedding_size)
        kind: Any = {"lif": LIF, "if": IF}[neuron]

        def body() -> list[nn.Module]:
            made: list[nn.Module] = []
            for layer in range(check_size("layers", layers)):
                inputs = embedding_size if layer == 0 else hidden_size
                neurons = kind(hidden_size, **(options or {}))
                made += [currents(inputs, hidden_size, 2.0 if layer > 0 else 1.0), neurons, SequenceDropout(dropout)]
            return made

        self.source_words, self.target_words = Words(table, positions, dropout), Words(table, positions, dropout)
        self.encoder = Sequential(*body(), currents(hidden_size, hidden_size, 2.0), Integrator("length"))
        self.decoder = Sequential(*body(), nn.Linear(hidden_size, embedding_size))
        self.to_logits = GradedLinear(embedding_size, vocabulary, levels, reach=reach)
        self.to_logits.weight = table.weight
        nn.init.zeros_(self.to_logits.bias)

    def encode(self, source: Tensor, lengths: Tensor) -> Memory:
        """See Translator."""
        return Memory(self.encoder(self.source_words(source), None, lengths)[0])

    def decode(self, target: Tensor, memory: Memory, state: DecoderState | None = None) -> Decoded:
        """See Translator."""
        first = (None, LIFState(memory.v), *(None for _ in range(len(self.decoder) - 2)))
        start = state or DecoderState(0, first)
        found, body = self.decoder(self.target_words(target, start.position), start.body)
        end = DecoderState(start.position + target.shape[1], body)
        return Decoded(self.to_logits(found.transpose(0, 1)), end, None)
