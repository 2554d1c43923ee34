"""Time of one element, batch 1, one thread: the event-driven runtime against torch, ONNX Runtime and spiking libraries.

One interleaved run for each size. The share of spikes is set, and measured on trained models (--trained). Beside each time
stands the bound: bytes of the rows of weights that the spikes select, over the memory bandwidth of the same run.

    OMP_NUM_THREADS=1 .venv-peers/bin/python benchmarks/runtime.py --trained runs/uci_har/spiking_t2/seed0/model.pt
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

import runtime_targets
from common import console, finish, options_parser, positive, progress, show, start
from runtime_bandwidth import Reader, cache_bytes
from runtime_models import BASELINE, installed
from runtime_ours import WEIGHTS, Ours, Trained, load_trained, on_test_data, with_density
from runtime_plot import draw
from runtime_size import COLUMNS, RATES, Measured, measure
from runtime_timing import WARMING
from spikeseq.errors import SpikeseqError
from spikeseq.report.bench import table_of
from spikeseq.report.plots import save_png

NOTE = (
    f"Called from Python. Speed: against {BASELINE} in the same round, median. Cold: the first element after memory was "
    f"swept; the others are {WARMING} or more behind it, in the contender's own caches. Memory bound: rows of weights that "
    "spikes select, each once, over the bandwidth of memory in the same run; cache bound: these and the I rows of the "
    "input, over the bandwidth of a buffer of the weights' size."
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = read_options(arguments)
    began = start(options)
    reader = Reader((1 << 20) if options.quick else max(256 << 20, 8 * cache_bytes()))
    peers, absent = installed()
    metrics: dict[str, Any] = {"rows": [], "bandwidth": [], "absent": absent, "notes": {}}
    if hasattr(os, "getloadavg"):
        metrics["load average of the machine at the start"] = os.getloadavg()[0]

    def run(x: np.ndarray, hidden: int, ours: dict[tuple[str, str], Ours]) -> None:
        bar, advance = progress(options.rounds + 1, f"I={x.shape[1]} H={hidden}")
        with bar:
            add(metrics, measure(x, hidden, ours, peers, reader, (options.rounds, options.block), advance))

    with torch.inference_mode():
        for (inputs, hidden), models in read_trained(options, metrics).items():
            x = models[0].x.reshape(-1, inputs)[: options.elements]
            run(x, hidden, {(n, m.name): on_test_data(n, m, options.sequences) for m in models for n in WEIGHTS})
        densities = {f"set {density:.0%}": density for density in options.density}
        measured = [row for row in metrics["rows"] if row["contender"] == "spikeseq float32"]
        densities |= {f"set as in {row['setting']}": row["density"] for row in measured}
        for hidden in options.hidden:
            x = np.random.default_rng(0).normal(size=(options.elements, options.inputs)).astype(np.float32)
            sizes = options.inputs, hidden
            run(x, hidden, {(n, name): with_density(n, *sizes, d) for n in WEIGHTS for name, d in densities.items()})
    report(metrics, options)
    finish("runtime", options, began, metrics)
    return 0


def read_options(arguments: Sequence[str] | None) -> Namespace:
    parser: ArgumentParser = options_parser("runtime", __doc__, rounds=25)
    parser.set_defaults(batch=1)
    parser.add_argument("--hidden", type=positive, nargs="+", default=[128, 512, 1024], help="H, one run each")
    parser.add_argument("--density", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.3], help="of +-1 spikes")
    parser.add_argument("--trained", nargs="*", default=[], help="model files: spikes as they come on test data")
    parser.add_argument("--sequences", type=positive, default=16, help="of the test data")
    parser.add_argument("--block", type=positive, default=40, help="elements of a contender in a row")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.inputs, options.hidden, options.density, options.block = 2, 6, [16], [0.1, 0.5], 14
    if options.batch != 1:
        parser.error("--batch: a stream has one sequence; leave it out")
    if options.block < WARMING + 2 or not all(0 <= density <= 1 for density in options.density):
        parser.error(f"--block: at least {WARMING + 2}; --density: 0 to 1")
    options.elements = options.block * 8  # different ones; used in turn
    return options


def read_trained(options: Namespace, metrics: dict[str, Any]) -> dict[tuple[int, int], list[Trained]]:
    """Trained models by (I, H); one that cannot run here is absent, with the reason."""
    found: dict[tuple[int, int], list[Trained]] = {}
    if not options.trained:
        metrics["absent"]["trained models"] = "none given: pass --trained runs/uci_har/spiking_t2/seed0/model.pt"
    for path in options.trained:
        try:
            model = load_trained(path)
        except SpikeseqError as error:
            metrics["absent"][path] = f"{type(error).__name__}: {error}"
            continue
        program = model.programs["float32"]
        found.setdefault((program.input_size, program.output_size), []).append(model)
    return found


def add(metrics: dict[str, Any], found: Measured) -> None:
    """Put one size into the metrics, and print it."""
    metrics["rows"] += found.rows
    metrics["bandwidth"] += found.bandwidth
    metrics["notes"] |= found.notes
    narrow = [column for column in COLUMNS[2:] if column.key not in ("low", "high")]
    show(found.rows, narrow, f"one element, batch 1: I={found.rows[0]['inputs']}, H={found.rows[0]['hidden']}")


def report(metrics: dict[str, Any], options: Namespace) -> None:
    """Bandwidths, targets, notes, the plot; and the tables for docs/results.md."""
    targets = metrics["targets"] = [] if options.quick else runtime_targets.check(metrics["rows"])
    cache = f"bandwidth, one thread, largest cache {cache_bytes() >> 20} MiB"
    show(metrics["bandwidth"], RATES, cache)
    if targets:
        show(targets, runtime_targets.COLUMNS, "targets, T=2, 10 % spikes")
    console.print(NOTE, highlight=False)
    for name, note in metrics["notes"].items():
        console.print(f"note: {name}: {note}", highlight=False, markup=False)
    for name, reason in metrics["absent"].items():
        console.print(f"not measured: {name}: {reason}", highlight=False, markup=False)
    notes = " ".join(f"{name}: {note}." for name, note in metrics["notes"].items())
    metrics["tables"] = [
        table_of("rows", COLUMNS, "time of one element, batch 1, one thread, T=2", f"{NOTE} {notes}".strip()),
        table_of("bandwidth", RATES, cache),
    ]
    if targets:
        metrics["tables"].append(table_of("targets", runtime_targets.COLUMNS, "targets at 10 % spikes"))
    save_png(draw(metrics["rows"], max(options.hidden)), options.out / "runtime_density.png")


if __name__ == "__main__":
    raise SystemExit(main())
