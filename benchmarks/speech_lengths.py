"""Time and peak memory of a training step against L, 50 to 2,000 frames of speech: straight lines of slope 1 where linear.

Each model has a process of its own. Time is processor time, the best round; memory is what a step adds to the resident
memory of a process that has run a shorter sequence (memory.py).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common import Column, finish, options_parser, positive, progress, show, start
from memory import raised_by
from models import BASELINE, LAYERS, Build, make_step
from rounds import interleave
from spikeseq.nn import AdLIF, GatedCurrent
from spikeseq.ops.fuse import compiling
from spikeseq.report.plots import lines, save_png

MODELS: dict[str, Build] = {
    **{name: LAYERS[name] for name in (BASELINE, "QuantizedLSTM T=2")},
    "GatedCurrent v2": lambda inputs, hidden: GatedCurrent(inputs, hidden),
    "AdLIF": lambda inputs, hidden: AdLIF(inputs, hidden),
}
COLUMNS = (
    Column("model"), Column("length", "L"), Column("ms", "CPU time, ms", digits=1),
    Column("us_frame", "us / frame", digits=1), Column("mib", "peak, MiB", digits=1),
)  # fmt: skip
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_parser("speech_lengths", __doc__, rounds=5)
    parser.add_argument("--lengths", type=positive, nargs="+", default=[50, 100, 200, 500, 1000, 2000], help="L")
    parser.add_argument("--hidden", type=positive, default=128, help="H")
    parser.add_argument("--child", choices=MODELS, help=argparse.SUPPRESS)
    parser.set_defaults(batch=16)
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.batch, options.inputs, options.hidden, options.lengths = 2, 8, 6, 16, [50, 100]
    began = start(options)
    if options.child:
        print(json.dumps(measure(options.child, options)))
        return 0
    rows: list[Row] = []
    bar, advance = progress(len(MODELS), "one process each")
    with bar:
        for name in MODELS:
            rows += in_child(name, options)
            advance()
    title = f"training step: B={options.batch}, I={options.inputs}, H={options.hidden}"
    show(rows, COLUMNS, title)
    metrics: dict[str, Any] = {"rows": rows}
    for key, what in (("ms", "time"), ("mib", "memory")):
        curves = {name: [row[key] for row in rows if row["model"] == name] for name in MODELS}
        metrics |= {f"log-log slope of {what} over L: {name}": slope(options.lengths, c) for name, c in curves.items()}
        unit = "CPU time of a training step, ms" if key == "ms" else "memory that a training step adds, MiB"
        figure = lines(options.lengths, curves, "sequence length L, frames", unit, title, log="xy")
        save_png(figure, options.out / f"speech_lengths_{what}.png")
    for name, value in list(metrics.items())[1:]:
        print(f"{name}: {value:.2f}")
    finish("speech_lengths", options, began, metrics)
    return 0


def measure(name: str, options: Namespace) -> list[Row]:
    """Time and memory of one model at every length, the shortest first."""
    rows: list[Row] = []
    with compiling("never" if options.quick else "always"):
        make_step(MODELS[name], 4, options.batch, options.inputs, options.hidden)()
        for length in options.lengths:
            step = make_step(MODELS[name], length, options.batch, options.inputs, options.hidden)
            peak = raised_by(step)
            cpu = min(times["step"].cpu for times in interleave({"step": step}, options.rounds, 1))
            row = {"model": name, "length": length, "ms": 1e3 * cpu, "us_frame": 1e6 * cpu / length}
            rows.append({**row, "mib": peak / 2**20})
    return rows


def in_child(name: str, options: Namespace) -> list[Row]:
    """Measure one model in a process of its own."""
    sizes = ("batch", "inputs", "hidden", "rounds", "threads")
    command = [sys.executable, str(Path(__file__).resolve()), "--child", name]
    command += [f"--{size}={getattr(options, size)}" for size in sizes]
    command += ["--lengths", *map(str, options.lengths)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    found: list[Row] = json.loads(done.stdout)
    return found


def slope(lengths: Sequence[int], values: Sequence[float]) -> float:
    """Least-squares slope of log value over log L: 1 where the cost is linear in L."""
    points = [(math.log(n), math.log(v)) for n, v in zip(lengths, values, strict=True) if v > 0]
    return float(np.polyfit(*zip(*points, strict=True), 1)[0])


if __name__ == "__main__":
    raise SystemExit(main())
