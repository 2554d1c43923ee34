"""Digits: 1,797 handwritten digits of 8 x 8 pixels, built into scikit-learn; needs no file and no network.

Source: Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits", UCI, doi:10.24432/C50P49 (its test part), as
shipped with scikit-learn (sklearn.datasets.load_digits). Licence: CC BY 4.0 (UCI).
Checksum: none needed, the data is a part of the installed scikit-learn.
Split: ours, 60 / 15 / 25 % of every class.
"""

from __future__ import annotations

import numpy as np
import torch

from spikeseq.data.options import MAX_SEED, check_choice, check_integer
from spikeseq.data.sequence import SequenceData, Split
from spikeseq.data.shuffle import permutation

VALID_SHARE = 0.15
TEST_SHARE = 0.25


def load(*, order: str = "rows", seed: int = 0) -> SequenceData:
    """Load the digits as sequences of values in [0, 1].

    order   "rows": L = 8 rows of I = 8 pixels; "pixels": L = 64 pixels, row by row, I = 1
    seed    names the split

    Raises ConfigError for any other value.
    """
    check_choice("order", order, ("rows", "pixels"))
    check_integer("seed", seed, 0, MAX_SEED)
    # here, because scikit-learn takes a second to import and only this data set needs it
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)  # [1797, 64] 0..16, [1797]
    shape = (-1, 8, 8) if order == "rows" else (-1, 64, 1)
    x = torch.from_numpy(pixels).float().div(16).reshape(shape)
    y = torch.from_numpy(labels).long()
    train, valid, test = (Split(x[index], y[index]) for index in _stratified(labels, seed))
    return SequenceData(
        name="digits",
        train=train,
        valid=valid,
        test=test,
        classes=tuple("0123456789"),
        source="UCI Optical Recognition of Handwritten Digits (test part), from scikit-learn, doi:10.24432/C50P49",
        licence="CC BY 4.0",
    )


def _stratified(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the row numbers of train, valid and test, in rising order, with every class in the same shares."""
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rows = rows[permutation(len(rows), seed)]
        num_test, num_valid = round(TEST_SHARE * len(rows)), round(VALID_SHARE * len(rows))
        cuts = np.split(rows, [len(rows) - num_test - num_valid, len(rows) - num_test])
        for part, cut in zip(parts, cuts, strict=True):
            part.append(cut)
    train, valid, test = (np.sort(np.concatenate(part)) for part in parts)
    return train, valid, test
