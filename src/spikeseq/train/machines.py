"""What a training runs on: the recipe's section ``trainer``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spikeseq.errors import ConfigError


@dataclass(frozen=True)
class TrainerSettings:
    """Processes, machines and number format. Each process trains on batches of ``data.batch_size`` (docs/scale.md).

    accelerator: auto (a GPU where there is one), cpu or gpu
    devices: processes on each machine, one for each GPU; torchrun's --nproc-per-node says it as well
    num_nodes: machines; torchrun's --nnodes says it as well
    strategy: of more than one process: auto (ddp), ddp, or ddp_find_unused_parameters_true for a model of which a step
        uses a part
    precision: 32-true, or bf16-mixed: bfloat16 where it is safe, recurrences and membranes in float32
    timeout: seconds after which a process that waits in vain for the others ends the job
    """

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int = 1
    num_nodes: int = 1
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true"] = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    timeout: float = 1800.0

    def check(self) -> None:
        """Raise ConfigError for what cannot be."""
        for name, value, low in (("devices", self.devices, 1), ("num_nodes", self.num_nodes, 1)):
            if value < low:
                raise ConfigError(f"trainer.{name}={value}: pass {low} or more")
        if not 0 < self.timeout < float("inf"):
            raise ConfigError(f"trainer.timeout={self.timeout}: pass seconds, above 0")
