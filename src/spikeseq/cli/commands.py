"""train, convert and evaluate, each one typed function: its docstring is the --help text."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console

from spikeseq.cli.data_of import calibration_rows, data_of, recipe_of
from spikeseq.conversion import ConvertConfig
from spikeseq.conversion import convert as run_convert
from spikeseq.data import SequenceData
from spikeseq.errors import ConfigError
from spikeseq.nn.checkpoint import ModelSettings, load_model, load_sequence_model, save_model
from spikeseq.nn.classifier import CELLS, SequenceClassifier
from spikeseq.nn.kinds import GridKind, QuantizedKind, StreamKind
from spikeseq.nn.level_kinds import HardGatedKind, LevelGatedKind
from spikeseq.nn.recurrent import Recurrent
from spikeseq.report.record import new_record, write_record
from spikeseq.train.evaluate import accuracy
from spikeseq.train.evaluate import evaluate as run_evaluate
from spikeseq.train.fit import fit
from spikeseq.train.inputs import load_data, task_of
from spikeseq.train.recipe import read_recipe

console = Console(soft_wrap=True, markup=False)
PARTS = ("test", "valid")


def train(
    recipe: str,
    out: str | None = None,
    seed: int | None = None,
    set: list[str] | None = None,
    resume: bool = False,
    record: str | None = None,
    progress: bool = True,
) -> None:
    """Train a recipe; the best model on validation data is kept and tested once.

    Args:
        recipe: YAML file, see the folder recipes/
        out: folder of the run; runs/<name>/seed<seed> if left out
        seed: instead of the recipe's
        set: override a key of the recipe, for example --set train.epochs=3; may be repeated
        resume: go on from the last checkpoint in the folder, if there is one
        record: write the record to this folder as well, as <name>/seed<seed>.json
        progress: show a progress bar
    """
    overrides = [*(set or []), *([] if seed is None else [f"seed={seed}"])]
    plan = read_recipe(recipe, overrides)
    folder = Path(out or f"runs/{plan.name}/seed{plan.seed}")
    run = fit(plan, folder, resume, progress)
    if run.rank:
        return
    if record:
        write_record(run.record, Path(record) / f"{plan.name}/seed{plan.seed}.json")
    m = run.record.metrics
    parts = {
        part: [f"{k.removeprefix(part + '_')} {m[k]:.4f}" for k in m if k.startswith(part + "_")] for part in PARTS
    }
    console.print(f"{plan.name}: test {', '.join(parts['test'])}, validation {', '.join(parts['valid'])} -> {folder}")


def convert(
    checkpoint: str,
    out: str | None = None,
    time_steps: int = 2,
    scheme: Literal["grid", "streams"] = "grid",
    neuron: Literal["if", "lif"] = "if",
    leak: float = 0.9,
    shift: Literal["optimal", "none"] = "optimal",
    max_packet: int | None = None,
    stage: Literal["hard", "quantized", "spiking"] = "spiking",
    input_encoding: Literal["direct", "int8", "delta"] = "direct",
    input_levels: int | None = None,
    sweep: bool = False,
    record: str | None = None,
) -> None:
    """Convert a trained model without further training; print what was done and what accuracy is left.

    Args:
        checkpoint: model file of a training run (runs/X/model.pt)
        out: file for the converted model
        time_steps: T, a power of two up to 16
        scheme: grid (exact) or streams (binary gates)
        neuron: of the gates: if, or lif (streams only)
        leak: of LIF gates, factor per time step
        shift: optimal or none
        max_packet: most spikes of a unit in a time step; 1 for strict unit spikes
        stage: how far to go: hard, quantized or spiking
        input_encoding: first layer: direct (full precision), int8 (8-bit) or delta (changes as spikes)
        input_levels: steps from 0 to the largest value of a feature; 127 for int8, 16 for delta if left out
        sweep: instead, convert at T = 1, 2, 4, 8, 16 with and without shift, as grid, unit spikes, IF and LIF streams
        record: write the sweep's record to this folder, as <name>_post_hoc/seed<seed>.json
    """
    model, _, notes = load_sequence_model(checkpoint)
    data = data_of(notes, checkpoint)
    config = ConvertConfig(
        time_steps, scheme, neuron, leak, shift, max_packet, stage,
        input_encoding=input_encoding, input_levels=input_levels,
    )  # fmt: skip
    if sweep:
        if out or config != ConvertConfig():
            raise ConfigError("sweep converts in all ways of its own: leave out out, time_steps and the other options")
        _sweep(model, data, notes, record)
        return
    if record:
        raise ConfigError(f"record={record!r} without sweep: a single conversion has no record; pass out, or sweep")
    result = run_convert(model, config, calibration_rows(data))
    console.print(str(result.report), highlight=False, markup=False)
    before, after = accuracy(model, data.test)[0], accuracy(result.model, data.test)[0]
    console.print(f"test accuracy: {before:.4f} before, {after:.4f} after conversion at T = {time_steps}")
    if out:
        assert isinstance(result.model, SequenceClassifier)
        settings = converted_settings(ModelSettings.from_dict(notes["recipe"]["model"]), result.model)
        save_model(out, result.model, settings, (data.input_size, data.num_classes), notes)
        console.print(f"written: {out}")


def evaluate(checkpoint: str, split: Literal["train", "valid", "test"] = "test", record: str | None = None) -> None:
    """Print accuracy, spike rate and operations of a model file on one split of the data it was trained on.

    Args:
        checkpoint: model file (runs/X/model.pt)
        split: train, valid or test
        record: write the record to this folder, as <name>/evaluate_seed<seed>.json (test split only)
    """
    if record and split != "test":
        raise ConfigError(
            f"record={record!r} with split={split!r}: results hold test figures; leave out one of the two"
        )
    model, _, notes = load_model(checkpoint)
    recipe = recipe_of(notes, checkpoint)
    data = load_data(recipe)
    started = time.time()
    metrics = run_evaluate(
        model, dataclasses.replace(data, test=getattr(data, split)), task=task_of(recipe, data, final=True)
    )
    for name, value in metrics.items():
        if name.startswith(("energy_", "matched_")):  # `spikeseq energy` shows them, in tables
            continue
        label = f"{split}_{name.removeprefix('test_')}" if name.startswith("test_") else name
        console.print(f"{label}: {value:.4f}" if isinstance(value, float) else f"{label}: {value}")

    if record:
        made = new_record(
            "evaluate", recipe.name, config=recipe.to_dict(), seed=recipe.seed, metrics=metrics,
            seconds=time.time() - started, threads=torch.get_num_threads(),
        )  # fmt: skip
        write_record(made, Path(record) / f"{recipe.name}/evaluate_seed{recipe.seed}.json")


def converted_settings(source: ModelSettings, model: SequenceClassifier) -> ModelSettings:
    """Settings of ``model``, converted from one with settings ``source``: what its layer really is, not what was asked."""
    layer = model.rnn
    assert isinstance(layer, Recurrent)
    options: dict[str, Any] = {} if layer.bias else {"bias": False}
    kind = layer.kind
    if isinstance(kind, QuantizedKind):
        options |= {"time_steps": kind.time_steps, "shift": kind.shift, **kind.encoding.options()}
    if isinstance(kind, HardGatedKind):
        options |= {
            "variant": kind.variant,
            "candidate": "signed" if kind.signed else "relu",
            "batch_norm": kind.batch_norm,
        }
        options |= {"recurrent_dropout": kind.recurrent_dropout, "gru_state": kind.gru_state}
    if isinstance(kind, LevelGatedKind):
        options |= {"time_steps": kind.time_steps, "shift": kind.shift, **kind.encoding.options()}
    if isinstance(kind, StreamKind):
        options["leak"] = kind.leak
    elif isinstance(kind, GridKind):
        options["max_packet"] = kind.max_packet
    cell = next(name for name, layer_type in CELLS.items() if type(layer) is layer_type)
    return dataclasses.replace(source, cell=cell, options=options)


def sweep_conversions(model: SequenceClassifier, data: SequenceData) -> Iterator[dict[str, Any]]:
    """Accuracy after conversion alone, as each is known: T = 1 .. 16, shift or none, grid, unit spikes, IF or LIF streams."""
    schemes: tuple[tuple[str | None, dict[str, Any]], ...] = (
        (None, {}), ("unit spikes", {"max_packet": 1}), ("IF streams", {"scheme": "streams"}),
        ("LIF streams", {"scheme": "streams", "neuron": "lif"}),
    )  # fmt: skip
    for variant, options in schemes:
        for time_steps in (1, 2, 4, 8, 16):
            for shift in ("optimal", "none"):
                result = run_convert(model, ConvertConfig(time_steps, shift=shift, **options), calibration_rows(data))
                row = {
                    "time_steps": time_steps,
                    "shift": shift == "optimal",
                    "accuracy": accuracy(result.model, data.test)[0],
                }
                yield row if variant is None else {**row, "variant": variant}


def _sweep(model: SequenceClassifier, data: SequenceData, notes: dict[str, Any], record: str | None) -> None:
    started = time.time()
    rows = []
    for row in sweep_conversions(model, data):
        rows.append(row)
        shift = "with" if row["shift"] else "without"
        console.print(
            f"{row.get('variant', 'grid'):12} T = {row['time_steps']:2} {shift:7} shift: {row['accuracy']:.4f}"
        )
    if record:
        recipe = notes["recipe"]
        name = f"{recipe['name']}_post_hoc"
        made = new_record(
            "convert", name, config={k: recipe[k] for k in ("data", "model")}, seed=recipe["seed"],
            metrics={"post_hoc": rows}, seconds=time.time() - started, threads=torch.get_num_threads(),
        )  # fmt: skip
        write_record(made, Path(record) / f"{name}/seed{recipe['seed']}.json")
