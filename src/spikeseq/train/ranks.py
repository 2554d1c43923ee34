"""Several processes train one model: which one this is, its share of the rows, and sums over all of them.

With P processes and ``data.batch_size`` B, a batch of a single process with batch size P B is shared: rank r takes its
rows r, r + P, r + 2 P, ... A term of the loss that is a mean over w_r items on rank r is scaled by ``P w_r / sum(w)``, so that
the mean over ranks, which DDP takes of the gradients, is the mean over all items (equal where rows are of equal length or not).
Outside torch.distributed: P = 1, r = 0, nothing is scaled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from spikeseq.errors import ConfigError


class Ranks(NamedTuple):
    """This process among all."""

    rank: int  # 0 .. processes - 1; rank 0 writes
    processes: int


def ranks() -> Ranks:
    """Who this process is now; the group of processes is made when training starts."""
    if dist.is_available() and dist.is_initialized():
        return Ranks(dist.get_rank(), dist.get_world_size())
    return Ranks(0, 1)


ALONE = Ranks(0, 1)


def leave() -> None:
    """Leave the group of processes, if there is one: each goes on alone, and :func:`ranks` says so."""
    if ranks().processes > 1:
        dist.destroy_process_group()


def global_batches(order: Tensor, size: int, processes: int) -> list[Tensor]:
    """Batches of ``size`` rows for each process. A last one that has not a row for each joins the one before.

    Raises ConfigError where all rows together are fewer than the processes.
    """
    if len(order) < processes:
        raise ConfigError(f"{len(order)} sequences for {processes} processes: set trainer.devices and num_nodes lower")
    batches = list(order.split(size * processes))
    if len(batches[-1]) < processes and len(batches) > 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def share(rows: Tensor, who: Ranks) -> Tensor:
    """The rows of a batch that are this process's; sorted rows give each process short and long ones."""
    return rows[who.rank :: who.processes]


def total(values: Sequence[float]) -> list[float]:
    """The sum over all processes of each value (float64); all of them must call this. Alone: the values."""
    if ranks().processes == 1:
        return list(values)
    on_gpu = dist.get_backend() == "nccl"
    summed = torch.tensor(values, dtype=torch.float64, device="cuda" if on_gpu else "cpu")
    dist.all_reduce(summed)
    found: list[float] = summed.tolist()
    return found


class Weights(NamedTuple):
    """Factors for the terms of a batch's loss, and what the batch counts for."""

    items: float  # factor of a mean over items
    elements: float  # factor of a mean over sequence elements
    size: float  # items of the whole batch, over P: loss * size, summed over processes, is the sum over items

    def over_all(self, mean: float) -> float:
        """A mean over this process's elements -> the mean over those of all processes; all of them must call this."""
        processes = ranks().processes
        return mean if processes == 1 else total([mean * self.elements])[0] / processes


def weights(items: int, elements: int) -> Weights:
    """Factors for a batch of which this process has so many items and elements; all processes must call this."""
    processes = ranks().processes
    if processes == 1:
        return Weights(1.0, 1.0, items)
    all_items, all_elements = total([items, elements])
    return Weights(
        processes * items / max(1, all_items), processes * elements / max(1, all_elements), all_items / processes
    )
