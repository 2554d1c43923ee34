"""Utterances of different lengths, with a class for every frame or a sequence of labels; and how they are padded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spikeseq.errors import DataError
from spikeseq.shapes import spaced

NO_LABEL = -100  # of a frame without a class, and of padding: no loss and no metric counts it
BLANK = "<blank>"


class Batch(NamedTuple):
    """Utterances padded at their ends to the longest of them."""

    x: Tensor  # [B, L, I] float32, 0 at padding
    lengths: Tensor  # [B] int64, frames that are there
    y: Tensor  # [B, L] class of each frame, or [B, S] labels; NO_LABEL at padding
    y_lengths: Tensor  # [B] labels that are there


@dataclass(frozen=True, eq=False)
class Utterances:
    """Utterances of one split; all frames end to end in one array, which may be a file."""

    ids: tuple[str, ...]
    x: np.ndarray  # [frames, I] float32, of this and of other splits
    start: np.ndarray  # [N] int64, first row of each utterance in x
    length: np.ndarray  # [N] int64, its frames
    labels: tuple[np.ndarray, ...]  # N of [frames] or [labels], int64
    transcripts: tuple[np.ndarray, ...] | None = None  # N of [labels], int64: of frames, their classes in order

    def __len__(self) -> int:
        return len(self.ids)

    def features(self, row: int) -> np.ndarray:
        """Frames of one utterance, float32 [L, I]; do not write to them."""
        return self.x[self.start[row] : self.start[row] + self.length[row]]

    def batch(self, rows: Iterable[int] | Tensor) -> Batch:
        """Return these utterances, padded."""
        chosen = [int(row) for row in rows]
        features = [torch.from_numpy(np.array(self.features(row))) for row in chosen]
        labels = [torch.from_numpy(self.labels[row]) for row in chosen]
        return Batch(
            torch.nn.utils.rnn.pad_sequence(features, batch_first=True),
            torch.tensor([len(x) for x in features]),
            torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=NO_LABEL),
            torch.tensor([len(y) for y in labels]),
        )

    def cropped(self, count: int, frames: int) -> Tensor:
        """Return the first frames of utterances that have as many, evenly over the split, [<= count, frames, I]: no padding.

        With fewer than ``frames`` everywhere: as many as the longest has.
        """
        frames = min(frames, int(self.length.max()))
        there = np.flatnonzero(self.length >= frames)
        rows = there[spaced(len(there), count).numpy()]
        return torch.from_numpy(np.stack([self.features(row)[:frames] for row in rows]))


@dataclass(frozen=True, eq=False)
class SpeechData:
    """A data set for frame classification or transcription.

    name, source, licence   what it is, where it comes from, what may be done with it
    train, valid, test      no speaker is in two of them
    targets                 "frames": a class for each frame; "sequence": labels in their order, class 0 is the blank
    unit                    "phone", or "character": then words are what stands between spaces
    classes                 the name of each class
    scored                  what each class is scored as; None: it is left out
    skipped                 utterances that could not be used, by reason

    Raises DataError when a split is empty, or has a value that is not finite, a label that is no class, or labels that do
    not fit their frames.
    """

    name: str
    train: Utterances
    valid: Utterances
    test: Utterances
    targets: Literal["frames", "sequence"]
    unit: Literal["phone", "character"]
    classes: tuple[str, ...]
    scored: tuple[str | None, ...]
    source: str
    licence: str
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for which, split in (("train", self.train), ("valid", self.valid), ("test", self.test)):
            _check(f"data set {self.name!r}, {which}", split, self)

    @property
    def input_size(self) -> int:
        """I, values in every frame."""
        return self.train.x.shape[1]

    @property
    def num_classes(self) -> int:
        """Outputs of a model: classes, with the blank where there is one."""
        return len(self.classes)


def _check(where: str, split: Utterances, data: SpeechData) -> None:
    if not len(split):
        raise DataError(f"{where} is empty; leave at least one utterance in every split")
    low = 1 if data.targets == "sequence" else 0
    for row, labels in enumerate(split.labels):
        name = f"{where}, {split.ids[row]}"
        there = labels[labels != NO_LABEL]
        if len(there) == 0 or there.min() < low or there.max() >= len(data.classes):
            raise DataError(f"{name}: labels {there.tolist()[:5]}.. are not all from {low} to {len(data.classes) - 1}")
        if data.targets == "frames" and len(labels) != split.length[row]:
            raise DataError(f"{name}: {len(labels)} labels for {split.length[row]} frames")
        if not np.isfinite(split.features(row).sum(dtype=np.float64)):
            raise DataError(f"{name}: features that are not finite; the audio or its cache is damaged")
