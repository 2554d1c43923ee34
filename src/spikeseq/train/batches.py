"""Batches from tensors in memory, in an order that depends on seed and epoch alone (so that a resumed run is the same)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from spikeseq.data import Split
from spikeseq.errors import ConfigError


class _Rows(Dataset[tuple[Tensor, Tensor]]):
    """A split, indexed by a whole batch of rows at once."""

    def __init__(self, split: Split, shift: int) -> None:
        self.split, self.shift = split, shift

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        x = self.split.x[rows]
        if self.shift:
            # drawn from the batch's own rows: the first batch is fetched before the trainer seeds the epoch
            own = torch.Generator().manual_seed(int(rows.sum()) * 1_000_003 + int(rows[0]))
            x = shift_images(x, self.shift, own)
        return x, self.split.y[rows]


class _Batches(Sampler[Tensor]):
    """Row numbers of each batch; shuffled by seed and epoch, or in order."""

    def __init__(self, rows: int, size: int, seed: int | None) -> None:
        self.rows, self.size, self.seed, self.epoch = rows, size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Tensor]:
        if self.seed is None:
            return iter(torch.arange(self.rows).split(self.size))
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        order = torch.randperm(self.rows, generator=generator)
        full = self.rows - self.rows % self.size if self.rows >= self.size else self.rows
        return iter(order[:full].split(self.size))  # drop the ragged last batch

    def __len__(self) -> int:
        ragged = self.seed is None or self.rows < self.size
        return -(-self.rows // self.size) if ragged else self.rows // self.size


def train_batches(split: Split, size: int, seed: int, shift: int = 0) -> DataLoader[tuple[Tensor, Tensor]]:
    """Shuffled training batches ``x [B, L, I], y [B]``; raises ConfigError for a shift of what is no image."""
    if shift and 1 in split.x.shape[1:]:
        raise ConfigError(
            f"data.shift_augmentation={shift} moves images read by rows, these sequences have the shape "
            f"{tuple(split.x.shape[1:])}; set it to 0"
        )
    # a generator of its own: an iterator draws a number when it is made, which a resumed run does at another moment
    return DataLoader(
        _Rows(split, shift), sampler=_Batches(len(split.y), size, seed), batch_size=None, generator=torch.Generator()
    )


def eval_batches(split: Split, size: int = 256) -> DataLoader[tuple[Tensor, Tensor]]:
    """All rows in order, ``x [B, L, I], y [B]``."""
    return DataLoader(_Rows(split, 0), sampler=_Batches(len(split.y), size, None), batch_size=None)


def shift_images(x: Tensor, most: int, generator: torch.Generator | None = None) -> Tensor:
    """Move each image ``[B, rows, columns]`` by up to ``most`` pixels each way; what comes in is the image's corner value."""
    batch, height, width = x.shape
    move = torch.randint(-most, most + 1, (2, batch, 1), generator=generator)
    rows = (torch.arange(height) + move[0]).unsqueeze(-1)
    columns = (torch.arange(width) + move[1]).unsqueeze(1)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    moved = x.reshape(batch, -1).gather(1, index.view(batch, -1)).view_as(x)
    return torch.where(inside, moved, x[:, :1, :1])
