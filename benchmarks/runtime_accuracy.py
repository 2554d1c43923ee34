"""Accuracy of trained models in the event-driven runtime, on whole test sets: PyTorch's grid, float32, int8 weights.

Beside it the share of values of h_t (element, time step, unit) that differ from PyTorch's, each format running on its own:
over whole sequences, and over their first elements, before a difference has fed back.

    python benchmarks/runtime_accuracy.py --models runs/uci_har/*/seed*/model.pt runs/mnist_rows/*/seed*/model.pt
"""

from __future__ import annotations

import statistics
from argparse import Namespace
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

import spikeseq.data
from common import Column, console, finish, options_parser, progress, show, start
from spikeseq import runtime
from spikeseq.data import Split
from spikeseq.errors import ConfigError, SpikeseqError
from spikeseq.nn import QuantizedLSTM, SequenceClassifier, observing
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.spiking import as_spiking
from spikeseq.ops.fuse import compiling
from spikeseq.report.bench import table_of

FIRST = 4  # elements of a sequence
LIMITS = {"float32": 0.1, "int8": 0.3}  # points of accuracy
COLUMNS = (
    Column("model"), Column("seed", digits=0), Column("torch", "PyTorch, %"), Column("float32", "float32, %"),
    Column("int8", "int8, %"), Column("float32_points", "float32 - PyTorch, points"),
    Column("int8_points", "int8 - PyTorch, points"), Column("float32_labels", "other labels, float32", digits=0),
    Column("int8_labels", "int8", digits=0), Column("rate", "spikes per unit and time step", digits=3),
    Column("float32_flips", "values of h that differ, float32, %", digits=4), Column("int8_flips", "int8, %", digits=2),
    Column("float32_first", f"first {FIRST} elements, float32, %", digits=4), Column("int8_first", "int8, %", digits=2),
)  # fmt: skip
WORST = (
    Column("what"), Column("limit", "at most, points"), Column("value", "largest, points"), Column("model"), Column("met"),
)  # fmt: skip
NOTE = "Whole test sets. Other labels: sequences that are classified otherwise than by PyTorch."


class Counts(NamedTuple):
    """Sums over the test sequences run so far."""

    hits: np.ndarray  # right labels: PyTorch, float32, int8
    labels: np.ndarray  # labels that differ from PyTorch's: float32, int8
    flips: np.ndarray  # values of h that differ, [all, first elements]: float32, int8
    values: np.ndarray  # values of h, [all, first elements]
    spikes: float  # sum |h|

    def plus(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_parser("runtime_accuracy", __doc__, rounds=1)
    parser.add_argument("--models", nargs="*", default=[], help="model files of spikeseq train")
    options = parser.parse_args(arguments)
    began = start(options)
    metrics: dict[str, Any] = {"rows": [], "absent": {}}
    if not options.models:
        parser.error("--models: pass model files, as runs/uci_har/spiking_t2/seed0/model.pt")
    for path in options.models:
        try:
            row = measure(path, options)
        except SpikeseqError as error:
            metrics["absent"][path] = str(error)
            console.print(f"not measured: {path}: {error}", highlight=False, markup=False)
            continue
        metrics["rows"].append(row)
        console.print(f"{path}: {row['float32_points']:+.2f}, {row['int8_points']:+.2f} points", highlight=False)
    metrics["targets"] = targets(metrics["rows"])
    show(metrics["rows"], COLUMNS, "trained models in the runtime")
    show(metrics["targets"], WORST, "targets")
    metrics["tables"] = [
        table_of("rows", COLUMNS, "accuracy of trained models", NOTE), table_of("targets", WORST, "largest difference"),
    ]  # fmt: skip
    finish("runtime_accuracy", options, began, metrics)
    return 0


def measure(path: str, options: Namespace) -> dict[str, Any]:
    """One row. Raises SpikeseqError for a model that the runtime does not run."""
    model, _, notes = load_model(path)
    if isinstance(model.rnn, torch.nn.RNNBase):
        raise ConfigError("no spiking network")
    programs = [runtime.compile(model, weights) for weights in LIMITS]
    spiking = as_spiking(model) if isinstance(model.rnn, QuantizedLSTM) else model
    recipe = notes["recipe"]
    test = spikeseq.data.load(recipe["data"]["name"], **recipe["data"]["options"]).test
    if options.quick:
        test = Split(test.x[:40], test.y[:40])
    starts = range(0, len(test.y), options.batch)
    bar, advance = progress(len(starts), path)
    counts = Counts(np.zeros(3, int), np.zeros(2, int), np.zeros((2, 2), int), np.zeros(2, int), 0.0)
    with bar:
        for first in starts:
            part = slice(first, first + options.batch)
            counts = counts.plus(compare(spiking, programs, test.x[part], test.y[part].numpy()))
            advance()
    shares = dict(zip(("torch", *LIMITS), (100 * counts.hits / len(test.y)).tolist(), strict=True))
    row = {"model": recipe["name"], "seed": recipe["seed"], "sequences": len(test.y), **shares}
    for number, name in enumerate(LIMITS):
        row[f"{name}_points"] = shares[name] - shares["torch"]
        row[f"{name}_labels"] = int(counts.labels[number])
        row[f"{name}_flips"], row[f"{name}_first"] = (100 * counts.flips[number] / counts.values).tolist()
    return row | {"rate": float(counts.spikes / counts.values[0])}


@torch.no_grad()
def compare(spiking: SequenceClassifier, programs: Sequence[runtime.Program], x: torch.Tensor, y: np.ndarray) -> Counts:
    """Run a batch ``x [B, L, I]`` in PyTorch and in every program."""
    with compiling("never"), observing() as seen:
        expected = spiking(x).argmax(-1).numpy()
    h = np.stack([one.output.numpy() for one in seen])  # [layers, L, T, B, H]
    hits, labels, flips = [int((expected == y).sum())], [], []
    for program in programs:
        stream, differ = program.stream(len(x)), []
        for n, element in enumerate(np.ascontiguousarray(x.numpy().swapaxes(0, 1))):
            logits = stream.step(element)
            found = stream.state()["h"]  # [B, layers, T, H]
            differ.append(int((found != h[:, n].transpose(2, 0, 1, 3)).sum()))
        label = logits.argmax(-1)
        hits.append(int((label == y).sum()))
        labels.append(int((label != expected).sum()))
        flips.append([sum(differ), sum(differ[:FIRST])])
    values = np.array([h.size, h[:, :FIRST].size])
    return Counts(np.array(hits), np.array(labels), np.array(flips), values, float(np.abs(h).sum()))


def targets(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The largest differences of accuracy against the limits: of one run, and of a recipe's mean over its seeds."""
    found = []
    for name, limit in LIMITS.items() if rows else ():
        one = {f"{row['model']} seed {row['seed']}": row[f"{name}_points"] for row in rows}
        runs = {
            model: [row[f"{name}_points"] for row in rows if row["model"] == model]
            for model in {r["model"] for r in rows}
        }
        mean = {f"{model}, n = {len(points)}": statistics.fmean(points) for model, points in runs.items()}
        for what, points in (("mean over the seeds", mean), ("each run", one)):
            model = max(points, key=lambda key: abs(points[key]))
            value = abs(points[model])
            row = {
                "what": f"|{name} - PyTorch|, {what}",
                "limit": limit,
                "value": value,
                "model": model,
                "met": value <= limit,
            }
            found.append(row)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
