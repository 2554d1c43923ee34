"""Run a recipe: data, model, Lightning's trainer, the best checkpoint, and the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from spikeseq.nn.checkpoint import load_weights, save_model
from spikeseq.nn.settings import Network
from spikeseq.report.plain import plain
from spikeseq.report.record import Record, new_record, write_record
from spikeseq.train.evaluate import evaluate
from spikeseq.train.inputs import front_end, load_data, loaders, task_of
from spikeseq.train.launch import lost_processes, watching
from spikeseq.train.memory import keep_freed_memory
from spikeseq.train.module import ClassifierModule
from spikeseq.train.ranks import leave
from spikeseq.train.recipe import Recipe
from spikeseq.train.resume import GoOn, best_row, best_weights, resume_point
from spikeseq.train.start import sizes_of, start_model
from spikeseq.train.teacher import load_teacher
from spikeseq.train.trainer import make_trainer, quiet


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
    keep_freed_memory()
    torch.manual_seed(recipe.seed)
    data = load_data(recipe)
    model = start_model(recipe, data)
    teacher, kept = load_teacher(recipe, data), plain(recipe.to_dict(), "recipe")
    module = ClassifierModule(model, recipe.train, recipe.seed, teacher, task_of(recipe, data), kept)
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
    point = resume_point(last, recipe, module) if resume and last.exists() else None
    if point is not None:  # Lightning makes the first iterator before it tells the sampler the epoch
        train.sampler.set_epoch(point + 1)  # type: ignore[attr-defined]
    with quiet(), lost_processes(last):
        trainer = make_trainer(recipe, folder, best, progress, [GoOn(folder), *callbacks])
        with watching(trainer, last):
            trainer.fit(module, train, valid, ckpt_path=None if point is None else str(last))
    if trainer.interrupted:
        raise KeyboardInterrupt(f"training was interrupted; go on with --resume ({last})")
    leave()  # what follows is rank 0's alone
    seconds = module.clock.seconds
    row, path = best_row(module.history), folder / "best.ckpt"
    load_weights(module, best_weights(path, row["epoch"]), str(path))
    chosen = {name: value for name, value in row.items() if name.startswith("valid_")}
    test = test and trainer.is_global_zero  # the others would find the same
    tested = evaluate(model, data, recipe.train.compile_evaluation, task_of(recipe, data, final=True)) if test else {}
    metrics = {
        **tested,
        **chosen,
        "best_epoch": row["epoch"],
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
        started=module.clock.started, threads=torch.get_num_threads(),
    )  # fmt: skip
    notes = {"recipe": recipe.to_dict(), **chosen, **front_end(data)}
    if trainer.is_global_zero:
        save_model(folder / "model.pt", model, recipe.model, sizes_of(data), notes)
        write_record(record, folder / "record.json")
    return Run(record, folder, model, trainer.global_rank)
