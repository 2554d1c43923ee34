"""UCI HAR windows: the type both readers return, its check, and the reader of the prepared har_windows_*.npz.

The prepared windows are cut from the raw recordings of version 2.1 (HAPT) with the recipe of UCI HAR: 7,415 + 2,996
windows, against 7,352 + 2,947 in the original archive. Accuracies are comparable in kind, not number for number.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np

from spikeseq.data.sources import DataFile
from spikeseq.data.verify import read
from spikeseq.errors import DataError

WINDOW = 128  # samples, 2.56 s at 50 Hz
CHANNELS = tuple(f"{signal}_{axis}" for signal in ("body_acc", "body_gyro", "total_acc") for axis in "xyz")
CLASSES = ("WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING")
TEST_SUBJECTS = (2, 4, 9, 10, 12, 13, 18, 20, 24)
TRAIN_SUBJECTS = tuple(subject for subject in range(1, 31) if subject not in TEST_SUBJECTS)
SUBJECTS = {"train": TRAIN_SUBJECTS, "test": TEST_SUBJECTS}

PREPARED = {
    "train": DataFile(
        "uci_har",
        "har_windows_train.npz",
        "sha256:3570c6000a859650493f93492e716d5c7bfb479ed6186ab1d2d286fcf6f2b1d4",
        7_585_189,
    ),
    "test": DataFile(
        "uci_har",
        "har_windows_test.npz",
        "sha256:26ba7ac17c2bc7a2e937876393bb00199b9b9df09afa278f99e02497726e0569",
        3_098_326,
    ),
}


class Windows(NamedTuple):
    """Windows of one split, as arrays."""

    x: np.ndarray  # [N, 128, 9] float32; CHANNELS: acceleration in g, angular velocity in rad/s
    y: np.ndarray  # [N] int64, 0..5, see CLASSES
    subject: np.ndarray  # [N] int64, 1..30


def read_prepared(split: str) -> Windows:
    """Read the prepared windows of "train" or "test"; DataError when the file is missing or corrupt."""
    file = PREPARED[split]
    with np.load(io.BytesIO(read(file)), allow_pickle=False) as arrays:
        x = arrays["X"] * arrays["scale"]  # int16 counts * float32 unit of a count
        windows = Windows(x, arrays["y"].astype(np.int64), arrays["subject"].astype(np.int64))
    check_windows(windows, split)
    return windows


def check_windows(windows: Windows, split: str) -> None:
    """Raise DataError unless shapes agree, values are finite, and labels and subjects are those of the split."""
    x, y, subject = windows
    if x.shape != (len(y), WINDOW, len(CHANNELS)) or y.shape != subject.shape or len(y) == 0:
        raise DataError(f"{split}: windows {x.shape}, labels {y.shape} and subjects {subject.shape} do not fit")
    if not np.isfinite(x).all():
        raise DataError(f"{split}: the signals have values that are not finite")
    if y.min() < 0 or y.max() >= len(CLASSES):
        raise DataError(f"{split}: activities run from {y.min() + 1} to {y.max() + 1}; expected 1 to {len(CLASSES)}")
    strangers = sorted(set(subject.tolist()) - set(SUBJECTS[split]))
    if strangers:
        raise DataError(f"{split}: subjects {strangers} do not belong to this split; expected {list(SUBJECTS[split])}")
