"""Lightning's trainer for a recipe, without the advice that does not apply."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from spikeseq.errors import ConfigError
from spikeseq.train.checkpoint_io import WholeCheckpoints
from spikeseq.train.curriculum import LengthCurriculum
from spikeseq.train.launch import trainer_arguments
from spikeseq.train.recipe import Recipe


def make_trainer(
    recipe: Recipe, folder: Path, best: ModelCheckpoint, progress: bool, more: Sequence[Callback] = ()
) -> L.Trainer:
    """Lightning's trainer, logs to CSV and TensorBoard. Raises ConfigError for devices that are not there."""
    # save_last of the first one would follow the best epoch only
    last = ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    callbacks: list[Callback] = [best, last, *more]
    if recipe.train.length_curriculum:
        callbacks.append(LengthCurriculum(recipe.train.length_curriculum))
    if recipe.train.patience:
        callbacks.append(EarlyStopping("valid_score", mode="max", patience=recipe.train.patience))
    if recipe.train.weight_average:
        callbacks.append(EMAWeightAveraging(decay=recipe.train.weight_average))
    if progress:
        callbacks.append(RichProgressBar())
    try:
        return L.Trainer(
            max_epochs=recipe.train.epochs,
            gradient_clip_val=recipe.train.gradient_clip or None,
            callbacks=callbacks,
            plugins=[WholeCheckpoints()],
            logger=[CSVLogger(folder, "logs"), TensorBoardLogger(folder, "tensorboard")],
            enable_model_summary=False,
            enable_progress_bar=progress,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            deterministic=True,
            **trainer_arguments(recipe.trainer),
        )
    except MisconfigurationException as error:
        raise ConfigError(f"trainer: {error}; set trainer.accelerator and trainer.devices to what is there") from error


_CHATTY = ("lightning.pytorch", "lightning.pytorch.utilities", "lightning.pytorch.utilities.rank_zero")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Lightning's advice on worker processes does not apply to data in memory."""
    levels = {name: logging.getLogger(name).level for name in _CHATTY}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*logging interval.*")
        warnings.filterwarnings("ignore", ".*LeafSpec.*")
        warnings.filterwarnings("ignore", ".*sync_dist=True.*")  # what is logged is the same on all ranks
        warnings.filterwarnings("ignore", "The dirpath has changed")
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
