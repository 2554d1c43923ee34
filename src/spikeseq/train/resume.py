"""Where a training goes on: its last checkpoint, checked against the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.nn.checkpoint import check_sums, load_weights
from spikeseq.train.module import ClassifierModule
from spikeseq.train.recipe import Recipe


def resume_point(last: Path, recipe: Recipe, module: ClassifierModule) -> int:
    """Check that a checkpoint can be read and belongs to this recipe's model; return the epoch that it finished."""
    try:
        check_sums(last)
        content: dict[str, Any] = torch.load(last, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"checkpoint {str(last)!r} cannot be read ({error}); delete it and train anew") from error
    if "spikeseq" not in content:
        raise CheckpointError(f"checkpoint {str(last)!r} was not written by spikeseq train; choose another folder")
    if content["epoch"] + 1 > recipe.train.epochs:
        raise ConfigError(
            f"{last} has trained {content['epoch'] + 1} epochs, the recipe asks for {recipe.train.epochs}"
        )
    load_weights(module, content["state_dict"], str(last))
    if content["spikeseq"]["architecture"] != module.architecture:
        raise CheckpointError(
            f"checkpoint {str(last)!r} belongs to another architecture: {content['spikeseq']['architecture']}; "
            f"this recipe builds {module.architecture}. Choose another folder, or train anew."
        )
    if bool(content["spikeseq"].get("budget")) != bool(module.budget):
        raise ConfigError(
            f"{last} was trained {'without' if module.budget else 'with'} train.target_spike_rate, this recipe the other "
            "way; choose another folder, or train anew"
        )
    return int(content["epoch"])
