"""Batches from tensors in memory, in an order that depends on seed and epoch alone (so that a resumed run is the same)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from spikeseq.data import Split
from spikeseq.data.speech.augment import Augment
from spikeseq.errors import ConfigError
from spikeseq.train.ranks import ALONE, global_batches, ranks, share


class Pick(NamedTuple):
    """Rows of one batch, and the seed of what is drawn for it; None: nothing is drawn."""

    rows: Tensor
    seed: int | None


class _Rows(Dataset[tuple[Tensor, Tensor]]):
    """A split, indexed by a whole batch of rows at once."""

    def __init__(self, split: Split, augment: Augment | None) -> None:
        self.split, self.augment = split, augment

    def __getitem__(self, pick: Pick) -> tuple[Tensor, Tensor]:
        x = self.split.x[pick.rows]
        if self.augment is not None and pick.seed is not None:
            # a generator of the batch's own: the first batch is fetched before the trainer seeds the epoch
            x = self.augment(x, pick.rows, torch.Generator().manual_seed(pick.seed))
        return x, self.split.y[pick.rows]


class _Batches(Sampler[Pick]):
    """Row numbers of each batch; shuffled by seed and epoch, or in order."""

    def __init__(self, rows: int, size: int, seed: int | None, shared: bool) -> None:
        self.rows, self.size, self.seed, self.shared, self.epoch = rows, size, seed, shared, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Pick]:
        who = ranks() if self.shared else ALONE
        if self.seed is None:
            whole = global_batches(torch.arange(self.rows), self.size, who.processes)
            return (Pick(share(rows, who), None) for rows in whole)
        own, size = self.seed * 100_003 + self.epoch, self.size * who.processes
        order = torch.randperm(self.rows, generator=torch.Generator().manual_seed(own))
        full = self.rows - self.rows % size if self.rows >= size else self.rows  # drop the ragged last batch
        whole = global_batches(order[:full], self.size, who.processes)
        return (Pick(share(rows, who), batch_seed(own, k * who.processes + who.rank)) for k, rows in enumerate(whole))

    def __len__(self) -> int:
        processes = ranks().processes if self.shared else 1
        if self.seed is None or self.rows < self.size * processes:
            return len(global_batches(torch.arange(self.rows), self.size, processes))
        return self.rows // (self.size * processes)


def batch_seed(epoch_seed: int, batch: int) -> int:
    """Seed of what is drawn for one process's batch: its place in the epoch, and seed and epoch."""
    return (epoch_seed * 1_000_003 + batch) % 2**63


def train_batches(
    split: Split, size: int, seed: int, augment: Augment | None = None
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Shuffled training batches ``x [B, L, I], y [B]``, x as ``augment(x, rows, generator)`` leaves it; shared by all ranks."""
    # a generator of its own: an iterator draws a number when it is made, which a resumed run does at another moment
    sampler = _Batches(len(split.y), size, seed, shared=True)
    return DataLoader(_Rows(split, augment), sampler=sampler, batch_size=None, generator=torch.Generator())


def eval_batches(split: Split, size: int = 256, shared: bool = False) -> DataLoader[tuple[Tensor, Tensor]]:
    """All rows in order, ``x [B, L, I], y [B]``; ``shared``: this process's share of them."""
    return DataLoader(_Rows(split, None), sampler=_Batches(len(split.y), size, None, shared), batch_size=None)


def image_shifter(split: Split, most: int, element_shape: Sequence[int] = ()) -> Augment | None:
    """Return the function that moves images by up to ``most`` pixels, None for 0.

    element_shape  C, H, W of sequences of pictures: all pictures of a sequence move together, what comes in is 0
    Raises ConfigError for sequences that are neither these nor an image read by rows.
    """
    if not most:
        return None
    if element_shape:
        return lambda x, rows, generator: shift_pictures(x, element_shape, most, generator)
    if 1 in split.x.shape[1:]:
        raise ConfigError(
            f"data.shift_augmentation={most} moves images read by rows, these sequences have the shape "
            f"{tuple(split.x.shape[1:])}; set it to 0"
        )
    return lambda x, rows, generator: shift_images(x, most, generator)


def shift_images(x: Tensor, most: int, generator: torch.Generator | None = None) -> Tensor:
    """Move each image ``[B, rows, columns]`` by up to ``most`` pixels each way; what comes in is the image's corner value."""
    index, inside = _moves(x, most, generator)
    return torch.where(inside, x.flatten(1).gather(1, index).view_as(x), x[:, :1, :1])


def shift_pictures(
    x: Tensor, element_shape: Sequence[int], most: int, generator: torch.Generator | None = None
) -> Tensor:
    """Move all pictures of each sequence ``[B, L, C H W]`` alike, by up to ``most`` pixels each way; what comes in is 0."""
    height, width = element_shape[1:]
    images = x.view(len(x), -1, height * width)
    index, inside = _moves(x.new_zeros(len(x), height, width), most, generator)
    moved = images.gather(2, index[:, None].expand_as(images))
    return (moved * inside.flatten(1)[:, None]).view_as(x)


def _moves(x: Tensor, most: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """For images ``[B, H, W]``: from which pixel ``[B, H W]`` each comes, and whether that is inside ``[B, H, W]``."""
    batch, height, width = x.shape
    move = torch.randint(-most, most + 1, (2, batch, 1), generator=generator)
    rows = (torch.arange(height) + move[0]).unsqueeze(-1)
    columns = (torch.arange(width) + move[1]).unsqueeze(1)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    return index.flatten(1), inside
