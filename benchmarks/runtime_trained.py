"""Trained keyword spotters and the like in the event-driven runtime: accuracy on the test split, and time of one element.

Beside each the cells that it would replace, ``torch.nn.LSTMCell`` and ``torch.nn.GRUCell`` of its sizes, element by element in
PyTorch; without the readout, on the test split's elements, in interleaved blocks (runtime_timing.py).

    python benchmarks/runtime_trained.py --models runs/speech_commands/*/seed0/model.pt
"""

from __future__ import annotations

import itertools
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

import spikeseq.data
from common import Column, console, finish, options_parser, show, start
from runtime_ours import contender
from runtime_timing import Contender, compare, play
from spikeseq import runtime
from spikeseq.data import Split
from spikeseq.errors import ConfigError, SpikeseqError
from spikeseq.nn import SequenceClassifier
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.spiking import as_spiking
from spikeseq.ops.fuse import compiling
from spikeseq.report.bench import table_of

BASELINE, GRU = "torch.nn.LSTMCell", "torch.nn.GRUCell"
BLOCK, TIMED = 100, 400  # elements of a block; elements that take turns
COLUMNS = (
    Column("model"), Column("seed", digits=0), Column("weights"), Column("torch", "PyTorch, %"),
    Column("runtime", "runtime, %"), Column("labels", "other labels", digits=0), Column("sent", "sent / chances, %", digits=1),
    Column("median_us", "us / element"), Column("speed", "times LSTMCell"), Column("gru_speed", "times GRUCell"),
    Column("kib", "KiB of weights", digits=0),
)  # fmt: skip
NOTE = (
    "Whole test splits; medians of interleaved blocks. Other labels: sequences classified otherwise than by PyTorch. "
    "Chances: units times time steps; multi-bit outputs that are not 0 count once, spikes each."
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_parser("runtime_trained", __doc__, rounds=15)
    parser.add_argument("--models", nargs="*", default=[], help="model files of spikeseq train")
    options = parser.parse_args(arguments)
    began = start(options)
    if not options.models:
        parser.error("--models: pass model files, as runs/speech_commands/gated_v2/seed0/model.pt")
    metrics: dict[str, Any] = {"rows": [], "absent": {}}
    for path in options.models:
        for weights in ("float32", "int8"):
            try:
                metrics["rows"].append(measure(path, weights, options))
            except SpikeseqError as error:
                metrics["absent"][f"{path}, {weights}"] = str(error)
                console.print(f"not measured: {path}, {weights}: {error}", highlight=False, markup=False)
    show(metrics["rows"], COLUMNS, "trained models in the runtime")
    metrics["tables"] = [table_of("rows", COLUMNS, "trained models, element by element", NOTE)]
    finish("runtime_trained", options, began, metrics)
    return 0


def measure(path: str, weights: str, options: Namespace) -> dict[str, Any]:
    """One row. Raises SpikeseqError for a model that the runtime does not run."""
    model, _, notes = load_model(path)
    if not isinstance(model, SequenceClassifier):
        raise ConfigError(f"{type(model).__name__}: no classifier with recurrent layers")
    program = runtime.compile(model, weights)  # type: ignore[arg-type]
    layer = runtime.compile(model.rnn, weights)  # type: ignore[arg-type]
    recipe = notes["recipe"]
    test = spikeseq.data.load(recipe["data"]["name"], **recipe["data"]["options"]).test
    if options.quick:
        test = Split(test.x[:40], test.y[:40])
    expected, found, sent = labels(as_spiking(model), program, test.x, options.batch)
    y = test.y.numpy()
    row = {
        "model": recipe["name"], "seed": recipe["seed"], "weights": weights, "sequences": len(y),
        "torch": float(100 * (expected == y).mean()), "runtime": float(100 * (found == y).mean()),
        "labels": int((expected != found).sum()), "sent": 100 * sent, "kib": program.nbytes / 1024,
    }  # fmt: skip
    return row | times(layer, test.x, options)


@torch.no_grad()
def labels(
    model: torch.nn.Module, program: runtime.Program, x: torch.Tensor, batch: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Labels by PyTorch and by the runtime, and what the last layer sent for each chance that it had."""
    expected, found, sent, elements = [], [], 0, 0
    for part in x.split(batch):
        with compiling("never"):
            expected.append(model(part).argmax(-1).numpy())
        stream = program.stream(len(part))
        found.append(stream.run(np.ascontiguousarray(part.numpy().swapaxes(0, 1))).argmax(-1))
        sent += list(stream.counters().values())[len(program.layers) - 1]["spikes"]
        elements += part.shape[0] * part.shape[1]
    chances = elements * program.hidden_sizes[-1] * program.settings.time_steps
    return np.concatenate(expected), np.concatenate(found), sent / chances


def times(layer: runtime.Program, x: torch.Tensor, options: Namespace) -> dict[str, float]:
    """Microseconds of an element, and how many times as fast as the cells."""
    length = x.shape[1]
    elements = x[: -(-TIMED // length)].reshape(-1, x.shape[2]).contiguous()
    contenders = {
        "ours": contender(layer, layer.settings.weights, elements.numpy(), length).contender,
        BASELINE: _cells(torch.nn.LSTMCell, [x.shape[2], *layer.hidden_sizes], elements),
        GRU: _cells(torch.nn.GRUCell, [x.shape[2], *layer.hidden_sizes], elements),
    }
    kept = play(contenders, 2 if options.quick else options.rounds, BLOCK, lambda: None)
    by_lstm, by_gru = compare(kept, BASELINE)["ours"], compare(kept, GRU)["ours"]
    return {"median_us": by_lstm.median_us, "speed": by_lstm.speed, "gru_speed": by_gru.speed}


def _cells(kind: Any, sizes: Sequence[int], elements: torch.Tensor) -> Contender:
    """As many cells as the model has layers, one above the other; they carry their own states."""
    cells = [kind(width, hidden) for width, hidden in itertools.pairwise(sizes)]
    states: list[Any] = [None] * len(cells)

    @torch.inference_mode()
    def run(x: torch.Tensor) -> None:
        for number, cell in enumerate(cells):
            states[number] = cell(x, states[number])
            x = states[number][0] if isinstance(states[number], tuple) else states[number]

    return Contender(run, list(elements.unsqueeze(1)))


if __name__ == "__main__":
    raise SystemExit(main())
