"""``spikeseq demo``: the main job on embedded data: train a float LSTM, convert it, fine-tune it, and show what it costs."""

from __future__ import annotations

import dataclasses
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from spikeseq import data as data_sets
from spikeseq.conversion import ConvertConfig, convert
from spikeseq.data import SequenceData
from spikeseq.energy import count
from spikeseq.errors import CompilerError
from spikeseq.nn import observing
from spikeseq.nn.checkpoint import ModelSettings
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.spiking import as_spiking
from spikeseq.report.page import Picture, Table, Text, write_page
from spikeseq.report.plots import accuracy_over_time_steps, raster, save_png
from spikeseq.report.record import new_record, write_record
from spikeseq.report.table import Column, rich_table
from spikeseq.train.evaluate import accuracy
from spikeseq.train.fit import fit
from spikeseq.train.recipe import Recipe
from spikeseq.train.settings import DataSettings, TrainSettings

STEPS = (1, 2, 4, 8)
COLUMNS = [
    Column("data"),
    Column("model"),
    Column("T"),
    Column("test_accuracy", "test %", digits=1, scale=100),
    Column("spike_rate", "spikes", digits=3),
    Column("macs", "MACs", digits=0),
    Column("acs", "ACs", digits=0),
    Column("parameters", "params", digits=0),
    Column("seconds", "s", digits=1),
]


@dataclass(frozen=True)
class Task:
    """One way to read the digits."""

    order: str
    hidden_size: int
    epochs: int  # of the float LSTM
    fine_epochs: int  # of each fine-tuning
    learning_rate: float
    batch_size: int = 128
    quantized_batch_size: int = 128


CAPTION = (
    "MACs and ACs for each element of the sequence, counted from real spikes; spikes for each unit and time step; "
    "s: seconds of training. Each fine-tuning goes on from the one before: hard LSTM, T = 2, T = 1."
)
TASKS = (Task("rows", 64, 40, 25, 1e-2), Task("pixels", 64, 50, 25, 1e-2, quantized_batch_size=64))
COUNTED = 50  # test rows whose operations are counted
CALIBRATION = 256  # training rows that a conversion looks at


def demo(out: str = "runs/demo", seed: int = 0, quick: bool = False, progress: bool = True) -> None:
    """Train, convert and fine-tune on scikit-learn's digits; write table, plots and report.html.

    Args:
        out: folder for metrics.json, PNG pictures and report.html
        seed: of weights and batches
        quick: two epochs each, to see that everything runs
        progress: show progress bars
    """
    folder, started, console = Path(out), time.time(), Console(soft_wrap=True)
    rows: list[dict[str, Any]] = []
    sections: list[Any] = [
        Text("Digits of scikit-learn (8x8 images), read row by row and pixel by pixel. Test accuracy.")
    ]
    pictures: list[Any] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small are slower on two
    for task in TASKS:
        task = dataclasses.replace(task, epochs=2, fine_epochs=2) if quick else task
        console.rule(f"digits, {task.order}")
        found, figures = _task(task, folder, seed, progress, console)
        rows += found
        pictures += figures
    torch.set_num_threads(threads)
    sections.append(
        Table(
            rows,
            COLUMNS,
            CAPTION,
        )
    )
    sections += pictures
    Console(width=max(96, console.width)).print(rich_table(rows, COLUMNS, title="spikeseq demo"))
    record = new_record(
        "demo", "digits/demo", config={"tasks": [dataclasses.asdict(t) for t in TASKS], "quick": quick}, seed=seed,
        metrics={"rows": rows}, seconds=time.time() - started, threads=torch.get_num_threads(),
    )  # fmt: skip
    write_record(record, folder / "metrics.json")
    write_page(folder / "report.html", "spikeseq demo", sections)
    console.print(f"{time.time() - started:.0f} s; written: {folder}/metrics.json, {folder}/report.html and pictures")


def _task(
    task: Task, folder: Path, seed: int, progress: bool, console: Console
) -> tuple[list[dict[str, Any]], list[Any]]:
    """All models of one task: rows of the table and pictures."""
    where = folder / task.order
    data = data_sets.load("digits", order=task.order)
    lstm = _train(task, where, "torch_lstm", {}, task.epochs, seed, progress)
    models: list[tuple[str, int | None, SequenceClassifier, float]] = [("float LSTM", None, *lstm)]
    start = str(where / "torch_lstm" / "model.pt")
    fine = task.fine_epochs
    models.append(("hard LSTM, fine-tuned", None, *_train(task, where, "hard_lstm", {}, fine, seed, progress, start)))
    hard = str(where / "hard_lstm" / "model.pt")
    curves: dict[str, list[tuple[int, float]]] = {"converted": [], "converted, no shift": [], "fine-tuned": []}
    for shift, label in (("optimal", "converted"), ("none", "converted, no shift")):
        for steps in STEPS:
            config = ConvertConfig(time_steps=steps, shift=shift)  # type: ignore[arg-type]
            snn = convert(lstm[0], config, data.train.x[:CALIBRATION].split(256)).model
            assert isinstance(snn, SequenceClassifier)
            models.append((label, steps, snn, 0.0))
    # each goes on from the one before: hard, T = 2, T = 1; the float LSTM teaches
    two = _train(task, where, "quantized_lstm", {"time_steps": 2}, fine, seed, progress, hard, start)
    begin = str(where / "quantized_lstm_time_steps2" / "model.pt")
    one = _train(task, where, "quantized_lstm", {"time_steps": 1}, fine, seed, progress, begin, start)
    models += [("fine-tuned", steps, as_spiking(m), seconds) for steps, (m, seconds) in ((1, one), (2, two))]
    rows = []
    for label, at, model, seconds in models:
        rows.append(_row(task.order, label, at, model, data, seconds))
        if label in curves and at is not None:
            curves[label].append((at, rows[-1]["test_accuracy"]))
        console.print(f"  {label}{'' if at is None else f', T = {at}'}: {rows[-1]['test_accuracy']:.1%}")
    figure = accuracy_over_time_steps(curves, {r["model"]: r["test_accuracy"] for r in rows if r["T"] is None})
    spikes = raster(_spikes(models[-1][2], data), f"digits by {task.order}, T = 2: spikes of one test sample")
    save_png(figure, folder / f"accuracy_{task.order}.png")
    save_png(spikes, folder / f"raster_{task.order}.png")
    captions = (f"Digits by {task.order}: accuracy over T.", "Spikes of one test sample; packets are drawn larger.")
    return rows, [Picture(figure, captions[0]), Picture(spikes, captions[1])]


def _train(
    task: Task,
    where: Path,
    cell: str,
    options: dict[str, Any],
    epochs: int,
    seed: int,
    progress: bool,
    start: str | None = None,
    teacher: str | None = None,
) -> tuple[SequenceClassifier, float]:
    name = cell + "".join(f"_{k}{v}" for k, v in options.items())
    size = task.quantized_batch_size if cell == "quantized_lstm" else task.batch_size
    rate = task.learning_rate if start is None else task.learning_rate / 2
    recipe = Recipe(
        f"digits_{task.order}/{name}",
        DataSettings("digits", {"order": task.order}, batch_size=size),
        ModelSettings(cell, task.hidden_size, options=options),
        TrainSettings(
            epochs=epochs,
            learning_rate=rate,
            warmup=0.05,
            start_from=start,
            compile="always" if epochs > 10 and _has_compiler() else "never",
            teacher=teacher,
            distillation=0.5 if teacher else 0.0,
        ),
        seed,
    )
    try:
        run = fit(recipe, where / name, progress=progress, test=False)
    except CompilerError:  # a compiler that is there and does not work
        slow = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, compile="never"))
        run = fit(slow, where / name, progress=progress, test=False)
    assert isinstance(run.model, SequenceClassifier)
    return run.model, run.record.metrics["train_seconds"]


def _has_compiler() -> bool:
    """Whether the small steps here can be compiled: the same kernels serve rows and pixels."""
    return any(map(shutil.which, ("c++", "g++", "clang++")))


def _row(
    order: str, label: str, steps: int | None, model: SequenceClassifier, data: SequenceData, seconds: float
) -> dict[str, Any]:
    hits, rate = accuracy(model, data.test, "never")
    counts = count(model.eval(), data.test.x[:COUNTED])
    return {
        "data": order, "model": label, "T": steps, "test_accuracy": hits, "spike_rate": rate if steps else None,
        "macs": counts.macs_per_element, "acs": counts.acs_per_element,
        "parameters": sum(p.numel() for p in model.parameters()), "seconds": seconds or None,
    }  # fmt: skip


def _spikes(model: SequenceClassifier, data: SequenceData) -> Any:
    """Spikes ``[L, T, H]`` of the first test sample."""
    with torch.no_grad(), observing() as seen:
        model.eval()(data.test.x[:1])
    return seen[0].output[:, :, 0].numpy()
