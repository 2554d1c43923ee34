"""Runs in processes of their own that torchrun might have started: for tests, which start them by :func:`start`.

A fork server imports everything once and forks each process from there: two processes are ready in a fraction of a second.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback

from spikeseq import data as data_sets
from spikeseq.cli.main import main
from spikeseq.train import fit as fitting
from spikeseq.train.fit import fit
from spikeseq.train.module import ClassifierModule
from spikeseq.train.recipe import Recipe, make_recipe
from spikeseq.train.sweep import worker as working
from spikeseq.train.sweep.study import Sweep

# task -> function that loads its data
DATA = {
    "classify": "load", "frames": "load_speech", "ctc": "load_speech", "text": "load_text", "translate": "load_pairs",
}  # fmt: skip


def start(function: Callable[..., None], count: int, *arguments: Any) -> list[Any]:
    """Call ``function(rank, *arguments)`` in each of ``count`` processes that torchrun might have started."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["spikeseq.cli.main", "lightning.pytorch.callbacks"]
    )  # by name: found without sys.path
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = [
        context.Process(target=_started, args=(rank, count, port, function, arguments), daemon=True)
        for rank in range(count)
    ]
    for process in made:
        process.start()
    return made


def alone(function: Callable[..., None], *arguments: Any) -> Any:
    """Call ``function(*arguments)`` in one process that nobody has started but the test."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spikeseq.cli.main", "lightning.pytorch.callbacks"])
    process = context.Process(target=function, args=arguments, daemon=True)
    process.start()
    return process


def finish(processes: list[Any], seconds: float = 240) -> list[int | None]:
    """Exit statuses; None for one that is still there after ``seconds``, which is then killed."""
    until = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))
    statuses = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    return statuses


def _started(rank: int, count: int, port: int, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test",
    }  # fmt: skip
    for stream, name in ((1, "out"), (2, "err")):  # also what C++ writes
        os.dup2(os.open(f"{name}{rank}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    function(rank, *arguments)


def conftest() -> Any:
    """The conftest.py beside this file, with its random data."""
    spec = importlib.util.spec_from_file_location("train_conftest", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made_data(recipe: Recipe) -> Any:
    """Random data for a recipe: 26 training sequences; utterances, texts and sentences of different lengths."""
    task = recipe.task
    if recipe.model.network == "pictures":
        return conftest().random_pictures(rows=(26, 13, 8))
    if task == "classify":
        return conftest().random_data(rows=(26, 13, 8))
    if task == "text":
        return conftest().random_texts(rows=(26, 7, 5))
    if task == "translate":
        return conftest().random_pairs()
    return conftest().random_speech("frames" if task == "frames" else "sequence", rows=(26, 7, 5))


def stub(recipe: Recipe) -> Any:
    """Let this process load random data for a recipe."""
    made = made_data(recipe)
    setattr(data_sets, DATA[recipe.task], lambda name, **options: made)
    return made


class Capture(Callback):
    """The gradient of each step, as the optimiser sees it."""

    def __init__(self) -> None:
        self.steps: list[list[torch.Tensor]] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.steps.append([p.grad.clone() for p in pl_module.parameters() if p.grad is not None])


def train(rank: int, content: dict[str, Any], folder: str) -> None:
    """Train a recipe on random data; what came out goes to <folder>/found<rank>.pt."""
    recipe, capture, written = make_recipe(content), Capture(), []
    stub(recipe)
    write = fitting.write_record
    fitting.write_record = lambda record, path: written.append(str(path)) or write(record, path)
    run = fit(recipe, folder, progress=False, callbacks=[capture])
    metrics = {k: v for k, v in run.record.metrics.items() if k != "train_seconds"}
    found = {"grads": capture.steps, "metrics": metrics, "rank": run.rank, "written": written}
    torch.save({**found, "weights": run.model.state_dict()}, Path(folder) / f"found{rank}.pt")


def command(rank: int, arguments: list[str], strike: tuple[int, int, str] | None = None) -> None:
    """Run the command line. strike = (epoch, batch, what): there, rank 1 is killed ("kill") or hangs ("hang")."""
    step = ClassifierModule.training_step

    def struck(self: Any, batch: Any, index: int) -> Any:
        if rank == 1 and strike and (self.current_epoch, index) == strike[:2]:
            if strike[2] == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(600)
        return step(self, batch, index)

    ClassifierModule.training_step = struck  # type: ignore[method-assign]
    sys.exit(main(arguments))


def work_until_killed(sweep: Sweep, trial: int, epoch: int) -> None:
    """Work on a sweep of random data; the process is killed in this epoch of this trial (-1: never)."""
    stub(sweep.recipe)
    begun, start_of_epoch = [], ClassifierModule.on_train_epoch_start
    run = working.run_trial

    def counted(sweep: Sweep, own: Any) -> Any:
        begun.append(own.number)
        return run(sweep, own)

    def killed(self: Any) -> None:
        if begun[-1] == trial and self.current_epoch == epoch:
            os.kill(os.getpid(), signal.SIGKILL)
        start_of_epoch(self)

    working.run_trial = counted
    ClassifierModule.on_train_epoch_start = killed  # type: ignore[method-assign]
    working.work(sweep)


def die(*_: Any) -> None:
    """End at once, as a process does that is killed."""
    os.kill(os.getpid(), signal.SIGKILL)
