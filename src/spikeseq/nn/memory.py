"""Networks of one width, told apart by their memory: membranes, none, or gates. What nn/text.py and nn/pictures.py build from.

cell   "lif", "if"            membranes of the neurons, and of an integrating readout
       "relu"                 the readout alone: the same layers without spikes
       "rnn", "gru", "lstm"   one recurrent layer, read at its last element; also "quantized_lstm", "spiking_lstm"
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Collection, Mapping
from typing import Any

from torch import nn

from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.dropout import SequenceDropout
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.lstm import GRU, LSTM, QuantizedLSTM, SpikingLSTM
from spikeseq.nn.readout import Integrator, Last
from spikeseq.nn.rnn import RNN

NEURONS: dict[str, Any] = {"lif": LIF, "if": IF, "relu": nn.ReLU}
GATED: dict[str, Any] = {
    "rnn": RNN, "gru": GRU, "lstm": LSTM, "quantized_lstm": QuantizedLSTM, "spiking_lstm": SpikingLSTM,
}  # fmt: skip
CELLS = (*NEURONS, *GATED)


def check_cell(cell: str, options: Mapping[str, Any]) -> str:
    """Return ``cell`` if it is one of CELLS that takes these options. Raises ConfigError with the nearest valid word."""
    if cell not in CELLS:
        raise ConfigError(f"cell={cell!r}: {nearest(str(cell), CELLS)}")
    shared = {"threshold", "learn_threshold", "reset", "surrogate"} if cell in ("lif", "if") else set()
    check_options(cell, None if cell == "relu" else {**NEURONS, **GATED}[cell], options, shared)
    return cell


def check_options(cell: str, kind: Any, options: Mapping[str, Any], shared: Collection[str] = ()) -> None:
    """Raise ConfigError for an option that is no keyword argument of ``kind`` (None: it has none), nor in ``shared``."""
    own = inspect.signature(kind.__init__).parameters.values() if kind else ()
    valid = {p.name for p in own if p.kind is p.KEYWORD_ONLY} | {*shared}
    valid -= {"batch_first", "device", "dtype", "gate"}  # whose values are the network's business
    for name in options:
        if name not in valid:
            remedy = nearest(name, valid) if valid else "leave it out"
            raise ConfigError(f"options: cell={cell!r} has no option {name!r}; {remedy}")


def neurons(cell: str, channels: int | None, options: Mapping[str, Any]) -> nn.Module:
    """A layer of neurons of so many channels; None: one threshold and one leak for all."""
    return nn.ReLU() if cell == "relu" else NEURONS[cell](channels, **options)


def integrating(
    cell: str, sizes: list[int], outputs: int, per_channel: bool, dropout: float, options: Mapping[str, Any]
) -> list[nn.Module]:
    """``[Linear - neurons - dropout]`` for each step in ``sizes``, then ``Linear - integrator`` over the true length."""
    made: list[nn.Module] = []
    for inputs, width in itertools.pairwise(sizes):
        made += [
            nn.Linear(inputs, width),
            neurons(cell, width if per_channel else None, options),
            SequenceDropout(dropout),
        ]
    return [*made, nn.Linear(sizes[-1], outputs), Integrator("length")]


def gated(cell: str, inputs: int, hidden: int, dropout: float, options: Mapping[str, Any]) -> list[nn.Module]:
    """One recurrent layer, its last element, dropout."""
    return [GATED[cell](inputs, hidden, **options), Last(), nn.Dropout(dropout)]
