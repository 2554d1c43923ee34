"""Lightning's strategy for a recipe's section ``trainer``, and what is said when a process is lost.

Processes come from ``torchrun`` or ``srun``, which say how many there are, or, with ``trainer.devices`` above 1, from
Lightning, which starts the command again for each. They are joined by DDP: NCCL on GPUs, gloo on CPUs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import torch.distributed as dist
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy

from spikeseq.errors import ConfigError, LostProcessError
from spikeseq.train.machines import TrainerSettings

# what gloo and NCCL say, which raise plain RuntimeErrors; torch has DistError for the rest
_LOST = ("gloo/transport", "Connection closed by peer", "Connection reset by peer", "Timed out waiting", "NCCL")


def started_by(settings: TrainerSettings) -> tuple[int, int]:
    """Processes on each machine, and machines, as torchrun or srun say, else the recipe.

    Raises ConfigError where the recipe asks for more than one process and they have started another number.
    """
    asked = settings.devices, settings.num_nodes
    if TorchElasticEnvironment.detect():
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        found, starter = (local, int(os.environ["WORLD_SIZE"]) // local), "torchrun"
    elif SLURMEnvironment.detect():
        found, starter = (
            (int(os.environ.get("SLURM_NTASKS_PER_NODE", 1)), int(os.environ.get("SLURM_NNODES", 1))),
            "srun",
        )
    else:
        return asked
    if asked not in ((1, 1), found):
        raise ConfigError(
            f"trainer.devices={asked[0]} and num_nodes={asked[1]}, but {starter} has started {found[0]} processes on each "
            f"of {found[1]} machines: leave both out, or set them to that"
        )
    return found


def trainer_arguments(settings: TrainerSettings) -> dict[str, Any]:
    """Arguments of ``lightning.Trainer`` for these settings and what this process was started by."""
    devices, num_nodes = started_by(settings)
    arguments: dict[str, Any] = {
        "accelerator": settings.accelerator, "devices": devices, "num_nodes": num_nodes, "precision": settings.precision,
        "use_distributed_sampler": False,  # the samplers share the rows themselves
    }  # fmt: skip
    if devices * num_nodes > 1:
        unused = settings.strategy == "ddp_find_unused_parameters_true"
        wait = timedelta(seconds=settings.timeout)
        arguments["strategy"] = DDPStrategy(timeout=wait, find_unused_parameters=unused)
    return arguments


@contextmanager
def lost_processes(last: Path) -> Iterator[None]:
    """Raise LostProcessError where torch.distributed says that another process is gone or silent."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not any(sign in str(error) for sign in _LOST):
            raise
        cause = str(error).strip().splitlines()[0][:200]
        raise LostProcessError(
            f"another process of this training was lost, or did not answer in time; {_remedy(last)} [{cause}]"
        ) from error


def _remedy(last: Path) -> str:
    return f"go on with --resume ({last})" if last.exists() else "no epoch was finished: start it again"


@contextmanager
def watching(trainer: L.Trainer, last: Path) -> Iterator[None]:
    """Say at once that a process that Lightning has started was lost: Lightning kills all within five seconds, this one too."""
    end = threading.Event()

    def watch() -> None:
        while not end.wait(0.3):
            for process in getattr(trainer.strategy.launcher, "procs", ()):
                if process.poll():
                    text = f"a process of this training ended with status {process.returncode}; {_remedy(last)}"
                    print(f"error: {text}", file=sys.stderr, flush=True)
                    return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
