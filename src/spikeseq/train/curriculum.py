"""Sequence-length curriculum: train on short pieces first, on longer ones later.

Source: the schedule 100, 200, 400, 800, 1000 frames of Ponghiran & Roy (2022), arXiv:2109.01905. Theirs is, with 24 epochs in
six shares of four, ``train.length_curriculum: [100, 200, 400, 800, 1000, 1000]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

T = TypeVar("T")


def stage(stages: Sequence[T], epoch: int, epochs: int) -> T:
    """The stage of an epoch where each has an equal share of the epochs."""
    return stages[min(len(stages) - 1, epoch * len(stages) // epochs)]


def pieces(tensors: Sequence[Tensor], lengths: Tensor | None, longest: int) -> tuple[list[Tensor], Tensor | None]:
    """Cut each row to at most ``longest`` elements from a random start, the same in all tensors ``[B, L, ..]``.

    lengths  ``[B]`` true lengths, or None for full rows; those of the pieces are returned
    The start is drawn from torch's generator. For labels of frames or of whole sequences; a transcript cannot be cut so.
    """
    batch, length = tensors[0].shape[:2]
    if length <= longest:
        return list(tensors), lengths
    own = torch.full((batch,), length) if lengths is None else lengths.cpu()
    room = (own - longest).clamp(min=0) + 1
    start = (torch.rand(batch) * room).long()
    index = (start[:, None] + torch.arange(longest)).to(tensors[0].device)  # [B, longest]
    rows = torch.arange(batch, device=index.device)[:, None]
    cut = [x[rows, index] for x in tensors]
    return cut, None if lengths is None else lengths.clamp(max=longest)


class LengthCurriculum(Callback):
    """Tell the module, as ``longest``, how long the training sequences of the present epoch may be."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = lengths

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Set the epoch's stage."""
        assert trainer.max_epochs is not None
        pl_module.longest = stage(self.lengths, pl_module.current_epoch, trainer.max_epochs)  # type: ignore[assignment]
