"""Run a recipe: data, model, Lightning's trainer, the best checkpoint, and the record."""

from __future__ import annotations

import contextlib
import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import nn

from spikeseq.conversion import ConvertConfig, convert
from spikeseq.conversion.rules import fit_input
from spikeseq.data import Data, SequenceData, TextData, TranslationData
from spikeseq.errors import CheckpointError, ConfigError, nearest
from spikeseq.nn.checkpoint import Sizes, check_sums, load_model, load_weights, save_model
from spikeseq.nn.encoding import InputEncoding
from spikeseq.nn.kinds import QuantizedKind
from spikeseq.nn.level_kinds import LevelGatedKind
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.settings import ModelSettings, Network
from spikeseq.nn.text import TextClassifier
from spikeseq.nn.translation import Translator
from spikeseq.report.record import Record, new_record, write_record
from spikeseq.train.curriculum import LengthCurriculum
from spikeseq.train.evaluate import evaluate
from spikeseq.train.inputs import calibration_rows, front_end, largest_inputs, load_data, loaders, task_of
from spikeseq.train.launch import lost_processes, trainer_arguments, watching
from spikeseq.train.module import ClassifierModule
from spikeseq.train.ranks import leave
from spikeseq.train.recipe import Recipe
from spikeseq.train.start_network import start_network, with_seed


@dataclass(frozen=True)
class Run:
    """What a training run leaves."""

    record: Record
    folder: Path
    model: Network
    rank: int = 0  # of this process; only rank 0 tests the model and writes


def fit(
    recipe: Recipe,
    folder: str | Path,
    resume: bool = False,
    progress: bool = True,
    test: bool = True,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Train a recipe into ``folder``: model.pt (best on validation data), record.json, last.ckpt, logs.

    test      test the kept model, once; without it the record has no test accuracy
    resume    go on from ``folder``/last.ckpt if it is there; the result is that of an unbroken run
    callbacks more of Lightning's callbacks
    Several processes (docs/scale.md) all call this, with a folder that all see; rank 0 tests and writes.
    Raises ConfigError, DataError or CheckpointError for what the recipe, the data or the checkpoint cannot do, OSError
    for a folder that cannot be written, LostProcessError where another process is gone.
    """
    folder = Path(folder)
    torch.manual_seed(recipe.seed)
    data = load_data(recipe)
    model = start_model(recipe, data)
    teacher = load_model(with_seed(recipe.train.teacher, recipe.seed))[0] if recipe.train.teacher else None
    module = ClassifierModule(model, recipe.train, recipe.seed, teacher, task_of(recipe, data))
    folder.mkdir(parents=True, exist_ok=True)
    best = ModelCheckpoint(
        folder,
        "best",
        monitor="valid_score",
        mode="max",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    train, valid = loaders(recipe, data)
    last = folder / "last.ckpt"
    point = _resume_point(last, recipe, module) if resume and last.exists() else None
    if point is not None:  # Lightning makes the first iterator before it tells the sampler the epoch
        train.sampler.set_epoch(point + 1)  # type: ignore[attr-defined]
    started = time.time()
    with _quiet(), lost_processes(last):
        trainer = make_trainer(recipe, folder, best, progress, callbacks)
        with watching(trainer, last):
            trainer.fit(module, train, valid, ckpt_path=None if point is None else str(last))
    if trainer.interrupted:
        raise KeyboardInterrupt(f"training was interrupted; go on with --resume ({last})")
    leave()  # what follows is rank 0's alone
    seconds = time.time() - started
    load_weights(module, torch.load(best.best_model_path, weights_only=True)["state_dict"], best.best_model_path)
    kept = max(module.history, key=lambda row: row["score"])
    chosen = {name: value for name, value in kept.items() if name.startswith("valid_")}
    test = test and trainer.is_global_zero  # the others would find the same
    tested = evaluate(model, data, recipe.train.compile_evaluation, task_of(recipe, data, final=True)) if test else {}
    metrics = {
        **tested,
        **chosen,
        "best_epoch": kept["epoch"],
        "epochs": len(module.history),
        "train_seconds": seconds,
        "data_source": data.source,
        "history": module.history,
    }
    if trainer.world_size > 1:
        metrics["processes"] = trainer.world_size
    if data.skipped:
        metrics["skipped"] = dict(data.skipped)
    record = new_record(
        "train", recipe.name, config=recipe.to_dict(), seed=recipe.seed, metrics=metrics, seconds=seconds,
        threads=torch.get_num_threads(),
    )  # fmt: skip
    notes = {"recipe": recipe.to_dict(), **chosen, **front_end(data)}
    if trainer.is_global_zero:
        save_model(folder / "model.pt", model, recipe.model, sizes_of(data), notes)
        write_record(record, folder / "record.json")
    return Run(record, folder, model, trainer.global_rank)


def sizes_of(data: Data) -> Sizes:
    """What a model must fit."""
    return Sizes(data.input_size, data.num_classes, data.element_shape if isinstance(data, SequenceData) else ())


def start_model(recipe: Recipe, data: Data) -> Network:
    """Fresh weights, or those of ``train.start_from``: as they are where they fit, else converted first.

    A conversion, the steps of an encoded input and first thresholds take their ranges from the training data, without the
    labels. A network for texts or pictures takes the weights of one with other neurons (start_network.py).
    """
    model = recipe.model.build(*sizes_of(data))
    if recipe.train.forget_bias is not None:
        _orthogonal(_gated(model), recipe.train.forget_bias)
    if isinstance(model, TextClassifier | PictureClassifier):
        return start_network(model, recipe, data)
    if recipe.train.first_thresholds.percentile:
        raise ConfigError(
            f"train.first_thresholds is set, model.network={recipe.model.network!r} has no LIF or IF neurons; leave it out"
        )
    if isinstance(model, Translator):
        if recipe.train.start_from:
            load_weights(
                model, load_model(with_seed(recipe.train.start_from, recipe.seed))[0].state_dict(), "start_from"
            )
        return model
    assert not isinstance(data, TextData | TranslationData)  # a recipe's task and network agree
    if isinstance(model.rnn, Recurrent):
        fit_input(model.rnn, largest_inputs(data))
    if recipe.train.start_from:
        path = with_seed(recipe.train.start_from, recipe.seed)
        source: Any = load_model(path)[0]
        if model.state_dict().keys() != source.state_dict().keys() or _input(model) != _input(source):
            config = conversion_to(recipe.model)
            source = convert(source, config, calibration_rows(data)).model
        load_weights(model, source.state_dict(), path)
    return model


def _input(model: Any) -> InputEncoding:
    """How a model's recurrent layer takes its input."""
    kind = model.rnn.kind if isinstance(model.rnn, Recurrent) else None
    return kind.encoding if isinstance(kind, QuantizedKind | LevelGatedKind) else InputEncoding()


def conversion_to(target: ModelSettings) -> ConvertConfig:
    """The conversion whose result is a model with these settings. Raises ConfigError for a float target."""
    stages = {
        "hard_lstm": "hard", "quantized_lstm": "quantized", "spiking_lstm": "spiking", "stream_lstm": "spiking",
        "hard_gated_current": "hard", "spiking_gated_current": "spiking",
    }  # fmt: skip
    if target.cell not in stages:
        raise ConfigError(
            f"train.start_from: a model cannot be converted to cell={target.cell!r}; {nearest('', stages)}"
        )
    options = {"leak": 1.0, **target.options}
    as_gru = {"variant": "v2", "candidate": "relu", "batch_norm": True, **options}
    if "gated" in target.cell and (as_gru["variant"], as_gru["candidate"], as_gru["batch_norm"]) != (
        "v2",
        "signed",
        False,
    ):
        raise ConfigError(
            "train.start_from: a GRU becomes a gated current with signed candidate and without batch norm; set "
            "model.options.candidate: signed and batch_norm: false"
        )
    streams = target.cell == "stream_lstm"
    return ConvertConfig(
        time_steps=options.get("time_steps", 2),
        scheme="streams" if streams else "grid",
        neuron="lif" if streams else "if",
        leak=options["leak"],
        shift="optimal" if options.get("shift", 0.5) else "none",
        max_packet=options.get("max_packet"),
        stage=stages[target.cell],  # type: ignore[arg-type]
        input_encoding=options.get("input_encoding", "direct"),
        input_levels=options.get("input_levels"),
    )


def _gated(model: nn.Module) -> nn.Module | None:
    """The recurrent layer of a model, of this library or torch's."""
    return next((m for m in model.modules() if isinstance(m, Recurrent | nn.RNNBase)), None)


def _orthogonal(rnn: nn.Module | None, forget_bias: float) -> None:
    """Orthogonal recurrent weights gate by gate; input weights uniform as they are; forget bias set, others 0."""
    if rnn is None:
        raise ConfigError(f"train.forget_bias={forget_bias}: the model has no recurrent layer; leave it out")
    hidden: Any = rnn.hidden_size
    keeps = rnn.kind.keeps if isinstance(rnn, Recurrent) else 1  # as of nn.LSTM and nn.GRU
    if isinstance(rnn, Recurrent) and rnn.kind.gates == 1:
        raise ConfigError(f"train.forget_bias={forget_bias}: {type(rnn).__name__} has no gate; leave it out")
    with torch.no_grad():
        for name, value in rnn.named_parameters():
            if name.startswith("weight_hh"):
                for block in value.chunk(value.shape[0] // value.shape[1]):
                    nn.init.orthogonal_(block)
            elif name.startswith("bias"):
                value.zero_()
                if name.startswith("bias_ih"):
                    value.view(-1, hidden)[keeps] = forget_bias


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


def _resume_point(last: Path, recipe: Recipe, module: ClassifierModule) -> int:
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


_CHATTY = ("lightning.pytorch", "lightning.pytorch.utilities", "lightning.pytorch.utilities.rank_zero")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
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
