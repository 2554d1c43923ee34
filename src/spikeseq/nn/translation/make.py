"""A translation network by the name of its cell.

"lif", "if", "relu", "glu"   ConvTranslator (conv.py)
"""

from __future__ import annotations

from typing import Any

from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.translation.base import Translator
from spikeseq.nn.translation.conv import ConvTranslator
from spikeseq.nn.translation.units import ACTIVATIONS

CELLS = (*ACTIVATIONS,)


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
    options: dict[str, Any] | None = None,
) -> Translator:
    """Return the network with fresh weights; ``layers``: blocks on either side. Raises ConfigError for what cannot work."""
    if cell not in CELLS:
        raise ConfigError(f"cell={cell!r}: {nearest(str(cell), CELLS)}")
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
        options,
    )
