"""What a model file shows on a few validation sequences: operations of each layer, spikes, thresholds and leaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikeseq.cli.data_of import recipe_of
from spikeseq.data import SequenceData, TextData, TranslationData
from spikeseq.energy import count
from spikeseq.errors import ConfigError, DataError
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.kinds import SMALLEST
from spikeseq.nn.neurons import Neurons
from spikeseq.nn.observe import Seen, observing
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.spiking import as_spiking
from spikeseq.report.operations import operation_rows
from spikeseq.train.inputs import load_data, pair_arguments

GATES = ("i", "f", "o")  # rows of the thresholds and leaks of an LSTM
ELEMENTS, UNITS = 100, 128  # of a raster, at most


@dataclass
class Look:
    """What was found, and of what was not, why."""

    operations: list[dict[str, Any]] = field(default_factory=list)
    spikes: dict[str, np.ndarray] = field(default_factory=dict)  # layer -> [L, T, H] of one sequence
    thresholds: dict[str, list[float]] = field(default_factory=dict)  # layer and gate -> values as they are used
    leaks: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # "operations", "spikes" or "ranges" -> why not


def look(path: Path, label: str, sequences: int) -> Look:
    """Look at a model; a quantised one as the spiking network that it trains; ``sequences`` 0: without its data.

    Raises CheckpointError for a file that is damaged or no model.
    """
    model, _, notes = load_model(path)
    spiking: nn.Module = as_spiking(model)
    found = Look()
    _ranges(spiking, found)
    try:
        batch = _batch(notes, str(path), sequences)
    except (DataError, ConfigError) as error:
        found.missing |= {"operations": str(error), "spikes": str(error)}
        return found
    try:
        found.operations = operation_rows(label, count(spiking, [batch]).to_dict())
    except (DataError, ConfigError, TypeError) as error:  # a ConversionError is a TypeError: a layer without a rule
        found.missing["operations"] = str(error)
    _spikes(spiking, {key: value[:1] for key, value in batch.items()}, found)
    return found


def _batch(notes: dict[str, Any], path: str, sequences: int) -> dict[str, Tensor]:
    """The first validation sequences, as arguments of the model."""
    if not sequences:
        raise ConfigError("sequences=0 asked for no look at data")
    data = load_data(recipe_of(notes, path))
    if isinstance(data, SequenceData):
        return {"x": data.valid.x[:sequences]}
    rows = torch.arange(min(len(data.valid), sequences))
    if isinstance(data, TranslationData):
        return pair_arguments(data.valid.batch(rows))
    batch = data.valid.batch(rows.tolist())
    return {"tokens" if isinstance(data, TextData) else "x": batch.x, "lengths": batch.lengths}


def _spikes(model: nn.Module, batch: Mapping[str, Tensor], found: Look) -> None:
    """Spikes of one sequence in each layer that sends any; multi-bit values as their signs."""
    names = {module: name for name, module in model.named_modules()}
    with torch.no_grad(), observing() as seen:
        model.eval()(**batch)
    for one in seen:
        if _spikes_in(one) and one.output.dim() in (3, 4):  # along a sequence
            values = one.output if one.output.dim() == 4 else one.output.unsqueeze(1)  # [L, T, B, H]
            whole = values[:ELEMENTS, :, 0, :UNITS].cpu().numpy()
            label = " ".join(filter(None, (names.get(one.module, ""), one.part))) or "layer"
            found.spikes[label] = whole if np.all(whole == np.rint(whole)) else np.sign(whole)
    if not found.spikes:
        found.missing["spikes"] = "no layer of it sends spikes"


def _spikes_in(one: Seen) -> bool:
    return one.module.kind.spikes if isinstance(one.module, Recurrent) else isinstance(one.module, Neurons)


def _ranges(model: nn.Module, found: Look) -> None:
    """Thresholds and leaks as they are used: clamped to their ranges."""
    for full, value in model.named_parameters():
        where, _, name = full.rpartition(".")
        kind, _, part = name.partition("_")
        if kind == "threshold":
            _add(found.thresholds, f"{where} {part}".strip(), value.detach().clamp_min(SMALLEST))
        elif kind == "leak":
            _add(found.leaks, f"{where} {part}".strip(), value.detach().clamp(0, 1))
    if not found.thresholds and not found.leaks:
        found.missing["ranges"] = "it has no threshold and no leak"


def _add(series: dict[str, list[float]], label: str, value: Tensor) -> None:
    if value.dim() == 2 and len(value) == len(GATES):
        series |= {f"{label} {gate}".strip(): row.flatten().tolist() for gate, row in zip(GATES, value, strict=True)}
    else:
        series[label or "neurons"] = value.flatten().tolist()
