"""What the benchmark scripts share: their options, and the record and table they end with."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress

from spikeseq.report.record import Record, new_record, write_record
from spikeseq.report.table import Column, rich_table

console = Console(width=None if sys.stdout.isatty() else 140)


@dataclasses.dataclass(frozen=True)
class Target:
    """A limit that a ratio to nn.LSTM must keep."""

    model: str
    limit: float


def options_parser(script: str, description: str | None, rounds: int) -> argparse.ArgumentParser:
    """Return the options that every script has; ``--quick`` is left to the script to act on."""
    parser = argparse.ArgumentParser(prog=script, description=description)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for the record (and plots)")
    parser.add_argument("--rounds", type=positive, default=rounds, help="interleaved rounds after the warm-up")
    parser.add_argument("--threads", type=positive, default=1, help="threads of PyTorch")
    parser.add_argument("--batch", type=positive, default=128, help="B")
    parser.add_argument("--inputs", type=positive, default=40, help="I, features of one element")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, 2 rounds: shows that the script runs")
    return parser


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}: give 1 or more")
    return number


def start(options: argparse.Namespace) -> float:
    """Set the threads and return the time."""
    torch.set_num_threads(options.threads)
    return time.perf_counter()


def progress(total: int, text: str) -> tuple[Progress, Callable[[], None]]:
    """Return a progress bar, to be used as a context, and the call that advances it."""
    bar = Progress(console=console, transient=True)
    task = bar.add_task(text, total=total)
    return bar, lambda: bar.advance(task)


def check_targets(ratios: Mapping[str, float], targets: Sequence[Target]) -> list[dict[str, Any]]:
    """Compare ratios with their limits; a target whose model was not measured is left out."""
    known = [target for target in targets if target.model in ratios]
    return [{**dataclasses.asdict(t), "ratio": ratios[t.model], "met": ratios[t.model] <= t.limit} for t in known]


def finish(
    script: str, options: argparse.Namespace, began: float, metrics: Mapping[str, Any], part: str = ""
) -> Record:
    """Write the record ``<out>/<script>.json``, or ``<script>_<part>.json``, and say where it is and what it depends on."""
    name = f"{script}_{part}" if part else script
    given = {key: value for key, value in vars(options).items() if value is not None}
    config = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
    record = new_record(
        "bench", name, config=config, seed=None, metrics=metrics, seconds=time.perf_counter() - began,
        threads=options.threads,
    )  # fmt: skip
    command = shlex.join(["python", f"benchmarks/{script}.py", *sys.argv[1:]])
    record = dataclasses.replace(record, command=command)  # as typed, with the folder of the script
    path = write_record(record, options.out / f"{name}.json")
    surroundings = ", ".join(f"{key} {value}" for key, value in record.versions.items())
    console.print(f"{surroundings}; load {os.getloadavg()[0]:.1f}", highlight=False)
    console.print(f"record: {path}", highlight=False)
    return record


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column | str], title: str) -> None:
    """Print a table."""
    console.print(rich_table(rows, columns, title=title))
