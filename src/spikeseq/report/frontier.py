"""Accuracy against energy from records: ``python -m spikeseq.report.frontier docs/frontier.png results/mnist_rows ..``.

One point for each name (mean over its seeds): float LSTM and GRU, spiking networks, and beside each spiking network the
quantised LSTM that it equals, run as dense products of few bits.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from spikeseq.errors import DataError, SpikeseqError
from spikeseq.report.energy_plots import Point, frontier
from spikeseq.report.figure import save_png
from spikeseq.report.record import Record, read_records
from spikeseq.report.summary import groups


def points(records: Sequence[Record], form: str = "int32", memory: bool = False) -> list[Point]:
    """Return the points of all training and evaluation records. Raises DataError when none has an energy."""
    key = f"{form}{'_sram' if memory else ''}_pj"
    found = []
    for (name, kind), runs in groups(records).items():
        if kind not in ("train", "evaluate") or not all(
            _number([run], f"energy_{key}") and _number([run], "test_accuracy") for run in runs
        ):
            continue
        metrics = {k: fmean(run.metrics[k] for run in runs) for k in runs[0].metrics if _number(runs, k)}
        cell, label = str(runs[0].config["model"]["cell"]), name.partition("/")[2] or name
        steps = runs[0].config["model"]["options"].get("time_steps")
        series = {"torch_lstm": "LSTM", "torch_gru": "GRU"}.get(cell, f"spiking, T = {steps}" if steps else cell)
        found.append(Point(label, series, metrics[f"energy_{key}"], metrics["test_accuracy"]))
        if "quantized_accuracy" in metrics and f"matched_{key}" in metrics:
            dense = f"dense {steps}-level LSTM"
            found.append(Point("", dense, metrics[f"matched_{key}"], metrics["quantized_accuracy"]))
    if not found:
        raise DataError("no record holds an energy: run recipes/frontier.sh, or spikeseq train .. --record")
    return found


def _number(runs: Sequence[Record], key: str) -> bool:
    return all(isinstance(run.metrics.get(key), int | float) for run in runs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the plot; 0, or 2 when the records cannot be read or hold nothing."""
    parser = argparse.ArgumentParser(prog="python -m spikeseq.report.frontier", description=__doc__)
    parser.add_argument("picture", type=Path, help="PNG file")
    parser.add_argument("records", type=Path, nargs="+", help="folders with records")
    parser.add_argument("--format", default="int32", choices=("fp32", "fp16", "int32", "int8"), help="number format")
    parser.add_argument("--memory", action="store_true", help="with access to memory")
    options = parser.parse_args(arguments)
    try:
        made = points([r for folder in options.records for r in read_records(folder)], options.format, options.memory)
        title = f"test accuracy and energy, {options.format}, {'with memory' if options.memory else 'arithmetic only'}"
        save_png(frontier(made, title), options.picture)
    except (SpikeseqError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
