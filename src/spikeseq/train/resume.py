"""Where a training goes on: its last checkpoint, checked against the recipe, and what Lightning does not carry over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.nn.checkpoint import check_sums, load_weights
from spikeseq.report.plain import plain
from spikeseq.train.module import ClassifierModule
from spikeseq.train.recipe import Recipe, make_recipe

MAY_DIFFER = ("train.epochs", "trainer")  # keys of a recipe, or sections, that a resumed run may change


def resume_point(last: Path, recipe: Recipe, module: ClassifierModule) -> int:
    """Check that a checkpoint can be read and belongs to this recipe; return the epoch that it finished.

    Raises CheckpointError for a damaged or foreign file and for another architecture, ConfigError for another recipe.
    """
    content = read_checkpoint(last)
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
    if "recipe" in content["spikeseq"]:  # older checkpoints lack it
        _check_recipe(last, content["spikeseq"]["recipe"], recipe)
    return int(content["epoch"])


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of Lightning. Raises CheckpointError where it is missing or damaged."""
    try:
        check_sums(path)
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"checkpoint {str(path)!r} cannot be read ({error}); delete it and train anew") from error
    return content


def best_row(history: list[dict[str, float]]) -> dict[str, float]:
    """The row of the epoch that best.ckpt holds: the first with the highest score, in float32 as Lightning compares."""
    return max(history, key=lambda row: float(torch.tensor(row["score"], dtype=torch.float32)))


def best_weights(best: Path, epoch: float) -> dict[str, Any]:
    """The weights in best.ckpt. Raises CheckpointError where they are not those of this epoch."""
    content = read_checkpoint(best)
    if content["epoch"] != epoch:
        raise CheckpointError(
            f"checkpoint {str(best)!r} is of epoch {content['epoch']}, but the best epoch of this run is {epoch}: the file "
            "was changed; train anew, without --resume"
        )
    weights: dict[str, Any] = content["state_dict"]
    return weights


def _check_recipe(last: Path, kept: dict[str, Any], recipe: Recipe) -> None:
    """Raise ConfigError naming the first key in which the checkpoint's recipe is another."""
    try:
        before = _flat(make_recipe(kept).to_dict())  # with defaults for keys that are younger than the checkpoint
    except ConfigError as error:
        raise ConfigError(f"{last} was trained by another version of spikeseq ({error}); train anew") from error
    now = _flat(make_recipe(plain(recipe.to_dict(), "recipe")).to_dict())
    for key in [*now, *(key for key in before if key not in now)]:
        if before.get(key, _UNSET) != now.get(key, _UNSET) and not key.startswith(MAY_DIFFER):
            raise ConfigError(
                f"{last} was trained with {key}={before.get(key, _UNSET)!r}, this recipe has {now.get(key, _UNSET)!r}: "
                "set it back, choose another folder, or train anew, without --resume"
            )


class _Unset:
    def __repr__(self) -> str:
        return "nothing"


_UNSET = _Unset()


def _flat(content: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Nested dicts -> dotted keys."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= _flat(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value}
    return found


class GoOn(Callback):
    """Let a resumed run keep its best epoch in a folder that was moved, and end where its patience had ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()  # as Lightning has it

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Name the files as they are called now: Lightning forgets the best score where the folder has another name."""
        for callback in trainer.checkpoint_callbacks:
            state = checkpoint["callbacks"].get(callback.state_key)
            if state and isinstance(callback, ModelCheckpoint) and callback.dirpath == str(self.folder):
                state["dirpath"] = callback.dirpath
                for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
                    state[key] = self._here(state[key])
                state["best_k_models"] = {self._here(path): score for path, score in state["best_k_models"].items()}

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Train no further where the checkpoint is that of the last epoch before early stopping."""
        stopping: Any = trainer.early_stopping_callback
        if stopping is not None and stopping.wait_count >= stopping.patience:
            trainer.should_stop = True

    def _here(self, path: str) -> str:
        return str(self.folder / Path(path).name) if path else path
