"""The recipe and the data that a model file was trained with."""

from __future__ import annotations

from typing import Any

from spikeseq.data import SequenceData
from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.train.inputs import CALIBRATION_ROWS, calibration_rows, load_data
from spikeseq.train.recipe import Recipe, make_recipe

__all__ = ["CALIBRATION_ROWS", "calibration_rows", "data_of", "recipe_of"]


def recipe_of(notes: dict[str, Any], checkpoint: str) -> Recipe:
    """The recipe that a model file keeps in its notes. Raises CheckpointError when there is none, or one that is not read."""
    if "recipe" not in notes:
        raise CheckpointError(
            f"checkpoint {checkpoint!r} does not say what data it was trained on; train it by a recipe"
        )
    try:
        return make_recipe(notes["recipe"])
    except ConfigError as error:
        raise CheckpointError(f"checkpoint {checkpoint!r} holds a recipe of another version: {error}") from error


def data_of(notes: dict[str, Any], checkpoint: str) -> SequenceData:
    """Load the data set of a model that classifies sequences. Raises CheckpointError when its file names none."""
    data = load_data(recipe_of(notes, checkpoint))
    assert isinstance(data, SequenceData)  # a recipe's task and model agree, and the model was asked for before
    return data
