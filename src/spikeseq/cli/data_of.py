"""The data that a model file was trained on."""

from __future__ import annotations

from typing import Any

import torch

from spikeseq import data as data_sets
from spikeseq.data import SequenceData
from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.train.fit import CALIBRATION_ROWS
from spikeseq.train.recipe import make_recipe


def calibration_rows(data: SequenceData) -> tuple[torch.Tensor, ...]:
    """Training inputs for a conversion, in batches."""
    return data.train.x[:CALIBRATION_ROWS].split(256)


def data_of(notes: dict[str, Any], checkpoint: str) -> SequenceData:
    """Load the data set that a model file names in its notes. Raises CheckpointError when it names none."""
    if "recipe" not in notes:
        raise CheckpointError(
            f"checkpoint {checkpoint!r} does not say what data it was trained on; train it by a recipe"
        )
    try:
        recipe = make_recipe(notes["recipe"])
    except ConfigError as error:
        raise CheckpointError(f"checkpoint {checkpoint!r} holds a recipe of another version: {error}") from error
    return data_sets.load(recipe.data.name, **recipe.data.options)
