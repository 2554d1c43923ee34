"""UCI HAR: six activities of 30 people from a smartphone at the waist, windows of 128 samples x 9 channels at 50 Hz.

Source: Anguita, Ghio, Oneto, Parra & Reyes-Ortiz, "A Public Domain Dataset for Human Activity Recognition Using
Smartphones", ESANN 2013, doi:10.24432/C54S4K. Licence: research use, its README forbids commercial use; UCI now lists
CC BY 4.0. Checksums: see the two readers, uci_har_windows.py and uci_har_archive.py.
Split: by subject. Official test subjects; valid is some of the official train subjects.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from spikeseq.data.options import check_choice, check_integer
from spikeseq.data.sequence import SequenceData, Split
from spikeseq.data.sources import find
from spikeseq.data.uci_har_archive import ORIGINAL, SERVED, URL, read_archive
from spikeseq.data.uci_har_windows import CLASSES, PREPARED, TRAIN_SUBJECTS, Windows, read_prepared
from spikeseq.data.verify import read
from spikeseq.errors import ConfigError
from spikeseq.shapes import check_flag

# every seventh or so of the 21: later subjects sat and stood longer, so the choice is spread over the numbers
VALID_SUBJECTS = (7, 15, 22, 29)
SOURCES = {
    "prepared": "UCI HAR, windows cut from the raw HAPT v2.1 recordings, doi:10.24432/C54S4K",
    "archive": f"UCI HAR, original archive, doi:10.24432/C54S4K, {URL}",
}


def load(
    *, valid_subjects: Sequence[int] = VALID_SUBJECTS, standardise: bool = True, variant: str = "auto"
) -> SequenceData:
    """Load UCI HAR: L = 128, I = 9 (body_acc xyz in g, body_gyro xyz in rad/s, total_acc xyz in g).

    valid_subjects   train subjects held out as valid; at least one, not all
    standardise      True: every channel less its mean, over its standard deviation; both from the train split alone
    variant          "prepared": har_windows_*.npz; "archive": the original zip; they differ by 1 % of the windows, see
                     uci_har_windows.py. "auto": prepared when its files are there, else archive; ``source`` says which

    Raises ConfigError for any other value, DataError when a file is missing or corrupt.
    """
    check_subjects(valid_subjects)
    check_flag("standardise", standardise)
    check_choice("variant", variant, ("auto", "prepared", "archive"))
    if variant == "auto":
        variant = "prepared" if any(find(file) for file in PREPARED.values()) else "archive"
    train, test = _read(variant)
    held_out = np.isin(train.subject, list(valid_subjects))
    splits = (_rows(train, ~held_out), _rows(train, held_out), test)
    x = _standardised([windows.x for windows in splits]) if standardise else [windows.x for windows in splits]
    parts = [Split(torch.from_numpy(xs), torch.from_numpy(ws.y)) for xs, ws in zip(x, splits, strict=True)]
    return SequenceData(
        name="uci_har",
        train=parts[0],
        valid=parts[1],
        test=parts[2],
        classes=CLASSES,
        source=SOURCES[variant],
        licence="research use; the README forbids commercial use, UCI now lists CC BY 4.0",
    )


def check_subjects(valid_subjects: Sequence[int]) -> None:
    """Raise ConfigError unless these are some, not all, of the train subjects, each once."""
    remedy = f"use some, not all, of {list(TRAIN_SUBJECTS)}, each once"
    if isinstance(valid_subjects, str) or not isinstance(valid_subjects, Sequence):
        raise ConfigError(f"valid_subjects={valid_subjects!r} is not a list; {remedy}")
    for subject in valid_subjects:
        check_integer("valid_subjects", subject, 1, 30)
    chosen = set(valid_subjects)
    if not chosen < set(TRAIN_SUBJECTS) or not chosen or len(chosen) != len(valid_subjects):
        raise ConfigError(f"valid_subjects={valid_subjects!r} is not valid; {remedy}")


def _read(variant: str) -> tuple[Windows, Windows]:
    if variant == "prepared":
        return read_prepared("train"), read_prepared("test")
    file = ORIGINAL if find(ORIGINAL) else SERVED
    return read_archive(read(file), file.name)


def _rows(windows: Windows, mask: np.ndarray) -> Windows:
    return Windows(*(array[mask] for array in windows))


def _standardised(xs: list[np.ndarray]) -> list[np.ndarray]:
    """Scale every array [N, L, I] by the mean and standard deviation of the first, per channel."""
    mean = xs[0].mean(axis=(0, 1), dtype=np.float64)
    std = xs[0].std(axis=(0, 1), dtype=np.float64)
    std[std == 0] = 1  # a constant channel becomes 0, not a division by 0
    return [((x - mean) / std).astype(np.float32) for x in xs]
