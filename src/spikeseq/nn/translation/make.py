"""A translation network by the name of its cell.

"lif", "if", "graded_lif", "relu", "glu"   ConvTranslator (conv.py): spiking, or its twins
"lstm"                       LSTMTranslator (lstm.py)
"plain_lif", "plain_if"      PlainTranslator (plain.py)
"""

from __future__ import annotations

from typing import Any

from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.graded_lif import GradedLIF
from spikeseq.nn.memory import check_cell, check_options
from spikeseq.nn.translation.base import Translator
from spikeseq.nn.translation.conv import ConvTranslator
from spikeseq.nn.translation.lstm import LSTMTranslator
from spikeseq.nn.translation.plain import PlainTranslator
from spikeseq.nn.translation.units import ACTIVATIONS, GRADED

CELLS = (*ACTIVATIONS, "lstm", "plain_lif", "plain_if")


def translator(
    cell: str,
    vocabulary: int,
    embedding_size: int = 128,
    hidden_size: int = 256,
    layers: int = 3,
    dropout: float = 0.25,
    attention: str = "softmax",
    kernel_size: int = 3,
    positions: int = 100,
    levels: int = 4,
    reach: float = 1.0,
    options: dict[str, Any] | None = None,
) -> Translator:
    """Return the network with fresh weights; ``layers``: blocks, or layers, on either side.

    Raises ConfigError for an unknown cell or one that has not what is asked of it.
    """
    own = options or {}
    if cell not in CELLS:
        raise ConfigError(f"cell={cell!r}: {nearest(str(cell), CELLS)}")
    if cell in ACTIVATIONS:
        if cell == GRADED:
            check_options(cell, GradedLIF, own)
        else:
            check_cell("relu" if cell == "glu" else cell, own)
        return ConvTranslator(
            vocabulary,
            cell,
            attention,
            embedding_size,
            hidden_size,
            layers,
            kernel_size,
            dropout,
            positions,
            levels,
            reach,
            own,
        )
    if attention != "softmax":
        raise ConfigError(f"attention={attention!r}: cell={cell!r} has no other than its own; set it to softmax")
    if cell == "lstm":
        if own:
            raise ConfigError(f"options={own}: cell='lstm' of a translation network has none; leave them out")
        return LSTMTranslator(vocabulary, embedding_size, hidden_size, layers, dropout, positions)
    neuron = cell.removeprefix("plain_")
    check_cell(neuron, own)
    return PlainTranslator(
        vocabulary, neuron, embedding_size, hidden_size, layers, dropout, positions, levels, reach, own
    )


def twin(model: Translator, cell: str) -> Translator:
    """A network of the same sizes with another cell, fresh weights and no options; attention by softmax.

    An LSTM has one layer of the same width on either side, as in recipes/multi30k.
    """
    return translator(cell, model.vocabulary, **{**model.sizes, **({"layers": 1} if cell == "lstm" else {})})
