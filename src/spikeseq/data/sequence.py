"""What a data set is once it is loaded: three splits of equal-length sequences with one label each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from spikeseq.errors import DataError, ShapeError


class Split(NamedTuple):
    """Sequences and their labels, row i of one belongs to row i of the other."""

    x: Tensor  # [N, L, I] float32, batch first
    y: Tensor  # [N] int64, 0 .. num_classes - 1


class Decibels(NamedTuple):
    """How log-mel features were scaled: x = (dB - mean) / std."""

    mean: Tensor  # [I] or [], dB
    std: Tensor  # as mean
    floor: float  # dB of silence


class Sound(NamedTuple):
    """The samples behind the features of a train split."""

    clips: Callable[[np.ndarray], np.ndarray]  # rows [B] of the split -> int16 [B, n]
    noise: Sequence[np.ndarray]  # background recordings, int16, each longer than a clip
    features: Callable[[np.ndarray], np.ndarray]  # clips -> whole dB above the floor, uint8 [B, L, I]


@dataclass(frozen=True, eq=False)
class SequenceData:
    """A data set for sequence classification.

    name, source, licence   what it is, where it comes from, what may be done with it
    train, valid, test      no example is in two of them
    classes                 the name of each label
    decibels                of log-mel features: how to get back to dB; None: x is something else
    element_shape           shape of an element before it was flattened to I values; () for plain vectors
    sound                   the samples that log-mel features of train come from, where they are kept
    skipped                 examples that could not be used, by reason

    Raises ShapeError when the tensors do not have the promised shape or dtype, DataError when a split is empty, has a
    value that is not finite or a label that is no class.
    """

    name: str
    train: Split
    valid: Split
    test: Split
    classes: tuple[str, ...]
    source: str
    licence: str
    decibels: Decibels | None = None
    element_shape: tuple[int, ...] = ()
    sound: Sound | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for which, split in (("train", self.train), ("valid", self.valid), ("test", self.test)):
            _check_shapes(f"data set {self.name!r}, {which}", split, self.train.x.shape[1:])
            _check_values(f"data set {self.name!r}, {which}", split, len(self.classes))

    @property
    def seq_len(self) -> int:
        """L, elements in every sequence."""
        return self.train.x.shape[1]

    @property
    def input_size(self) -> int:
        """I, values in every element."""
        return self.train.x.shape[2]

    @property
    def num_classes(self) -> int:
        """Number of labels."""
        return len(self.classes)


def _check_shapes(where: str, split: Split, element_shape: torch.Size) -> None:
    x, y = split
    if x.dim() != 3 or x.dtype != torch.float32 or x.shape[1:] != element_shape:
        raise ShapeError(f"{where}: x must be float32 [N, L, I], the same L, I in all; got {x.dtype} {list(x.shape)}")
    if y.shape != x.shape[:1] or y.dtype != torch.int64:
        raise ShapeError(
            f"{where}: y must be int64 [{x.shape[0]}], a label per sequence; got {y.dtype} {list(y.shape)}"
        )


def _check_values(where: str, split: Split, num_classes: int) -> None:
    if split.x.numel() == 0:
        raise DataError(f"{where} is empty: {list(split.x.shape)}; leave at least one example in every split")
    # the sum is not finite if a value is not (float64: a sum of finite float32 values cannot overflow); one cheap pass
    if not torch.isfinite(split.x.sum(dtype=torch.float64)):
        raise DataError(f"{where}: x has values that are not finite; the source file is damaged or was built wrongly")
    low, high = int(split.y.min()), int(split.y.max())
    if low < 0 or high >= num_classes:
        raise DataError(f"{where}: labels run from {low} to {high}; expected 0 to {num_classes - 1}")
