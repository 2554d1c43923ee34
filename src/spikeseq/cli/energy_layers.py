"""``spikeseq energy`` of a Sequential: its operations and their price, layer by layer, on sequences from a file."""

from __future__ import annotations

import tokenize
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from spikeseq.energy import PriceTable, count, price
from spikeseq.energy.compare import FORMATS, MEMORIES
from spikeseq.errors import ConfigError, DataError
from spikeseq.nn.layers_file import load_layers
from spikeseq.report.table import Column, rich_table

# what numpy raises for headers of every kind of wrong
_UNREADABLE = (OSError, ValueError, TypeError, OverflowError, MemoryError, RecursionError, tokenize.TokenError)
COLUMNS = [Column("layer"), Column("macs", "MACs", digits=1), Column("acs", "ACs", digits=1)]


def energy_of_layers(checkpoint: str, inputs: str | None, sequences: int, prices: PriceTable | None) -> None:
    """Print MACs, ACs and picojoules for each sequence element. Raises ConfigError, DataError or ShapeError."""
    if inputs is None:
        raise ConfigError(f"checkpoint {checkpoint!r} names no data: pass inputs, a .npy file of sequences [B, L, ..]")
    model = load_layers(checkpoint).model
    x = read_sequences(inputs)[:sequences]
    counts = count(model, x if model.batch_first else x.transpose(0, 1))
    whole = {"layer": "all", "macs": counts.macs_per_element, "acs": counts.acs_per_element}
    lines: list[dict[str, Any]] = [
        {"layer": c.name, "macs": c.macs / counts.elements, "acs": c.acs / counts.elements} for c in counts.per_layer
    ]
    columns = list(COLUMNS)
    for memory in MEMORIES:
        for form in FORMATS:
            key, found = f"{form}_{memory}", price(counts, form, memory, prices)
            columns.append(Column(key, f"{form} pJ" if memory == "none" else f"{form} with memory", digits=0))
            whole[key] = found.pj_per_element
            for line, layer in zip(lines, found.per_layer, strict=True):
                line[key] = layer.total
    Console(width=140, markup=False).print(rich_table([*lines, whole], columns, title="for each sequence element"))


def read_sequences(path: str) -> torch.Tensor:
    """Sequences ``[B, L, ..]``, float32, of a .npy file. Raises DataError."""
    try:
        # mapped: a header that says more than the file holds is an error, not memory
        array = np.lib.format.open_memmap(Path(path), mode="r")
        if array.dtype.kind not in "fiub":
            raise ValueError(f"it holds {array.dtype}, not numbers")
        x = torch.from_numpy(np.array(array, np.float32, order="C"))
    except _UNREADABLE as error:
        raise DataError(
            f"inputs {path!r} cannot be read ({error}): save sequences [B, L, ..] with numpy.save"
        ) from error
    if x.dim() < 3 or not x.numel() or not bool(torch.isfinite(x).all()):
        raise DataError(
            f"inputs {path!r} has shape {tuple(x.shape)}: pass finite numbers [B, L, ..], one sequence or more"
        )
    return x
