"""Work in a process of its own that is killed after a while; what it left is looked at."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from spikeseq.cli.main import main
from spikeseq.errors import SpikeseqError
from spikeseq.nn.checkpoint import load_model
from spikeseq.report.record import read_record
from spikeseq.train.fit import fit
from spikeseq.train.recipe import Recipe
from spikeseq.train.sweep.study import Sweep
from spikeseq.train.sweep.worker import work


def kill_at(seconds: float | None, function: Callable[..., None], *arguments: Any) -> bool:
    """Call the function in another process, killed after so many seconds (None: never); True if it ended by itself.

    The process is forked from a server that has imported everything, so that the time is that of the work.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spikeseq.cli.main", "spikeseq.cli.commands", "spikeseq.cli.export", "optuna"])
    process = context.Process(target=function, args=arguments)
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        return False
    if process.exitcode:
        raise RuntimeError(f"{function.__name__} ended with status {process.exitcode}")
    return True


def train(recipe: Recipe, folder: Path) -> None:
    """Train, going on from what is there."""
    _quiet()
    fit(recipe, folder, resume=True, progress=False)


def start_worker(sweep: Sweep) -> None:
    """Work on a sweep until it is done."""
    _quiet()
    work(sweep)


def command(arguments: list[str]) -> None:
    """What ``spikeseq`` does with these arguments."""
    _quiet()
    if status := main(arguments):
        raise SystemExit(status)


def _quiet() -> None:
    torch.set_num_threads(1)
    sys.stderr = sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def checked(folder: Path) -> bool:
    """Whether model, record and checkpoint in a run's folder, those that are there, can be read."""
    try:
        for name, read in (("model.pt", load_model), ("record.json", read_record)):
            if (folder / name).exists():
                read(folder / name)
        for name in ("last.ckpt", "best.ckpt"):
            if (folder / name).exists():
                torch.load(folder / name, weights_only=True)
    except (SpikeseqError, RuntimeError, OSError, EOFError) as error:
        print(f"torn: {error}")
        return False
    return True
