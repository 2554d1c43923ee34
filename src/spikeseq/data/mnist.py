"""MNIST: 60,000 + 10,000 handwritten digits of 28 x 28 pixels, read by rows, by pixels or by permuted pixels.

Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits". Licence: CC BY-SA 3.0 (as commonly stated).
Permuted order: Le, Jaitly & Hinton (2015), arXiv:1504.00941; the permutation is ours, named by its seed.
Checksums: the canonical md5 of each .gz for the download; the md5 of the uncompressed content for every load.
Split: official test; valid is taken from the official train images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from spikeseq.data.idx import parse_idx
from spikeseq.data.options import MAX_SEED, check_choice, check_integer
from spikeseq.data.sequence import SequenceData, Split
from spikeseq.data.shuffle import permutation
from spikeseq.data.sources import DataFile
from spikeseq.data.verify import read
from spikeseq.shapes import check_flag

URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MEAN, STD = 0.1307, 0.3081  # of the train pixels in [0, 1] at 28 x 28, the customary figures
NUM_TRAIN = 60_000


def _file(name: str, size: int, content_md5: str, served_md5: str) -> DataFile:
    return DataFile("mnist", name, f"md5:{content_md5}", size, URL + name, f"md5:{served_md5}")


TRAIN_IMAGES = _file(
    "train-images-idx3-ubyte.gz", 47_040_016, "6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"
)
TRAIN_LABELS = _file(
    "train-labels-idx1-ubyte.gz", 60_008, "a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"
)
TEST_IMAGES = _file(
    "t10k-images-idx3-ubyte.gz", 7_840_016, "2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"
)
TEST_LABELS = _file(
    "t10k-labels-idx1-ubyte.gz", 10_008, "27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"
)


class _Form(NamedTuple):
    """How an image becomes a sequence: the options of the same names."""

    order: str
    side: int
    permutation_seed: int
    normalise: bool


def load(
    *,
    order: str = "rows",
    side: int = 28,
    permutation_seed: int = 0,
    valid_size: int = 5000,
    seed: int = 0,
    normalise: bool = True,
) -> SequenceData:
    """Load MNIST as sequences.

    order              "rows": L = side rows of I = side pixels; "pixels": L = side^2 pixels, row by row, I = 1;
                       "permuted": the pixels in one fixed random order
    side               28, or 14: the average of every 2 x 2 pixels
    permutation_seed   names the permutation
    valid_size, seed   valid is the last valid_size images of the train images shuffled with seed
    normalise          True: (x - 0.1307) / 0.3081, at either side; False: x in [0, 1]

    Raises ConfigError for any other value, DataError when a file is missing or corrupt.
    """
    check_choice("order", order, ("rows", "pixels", "permuted"))
    check_choice("side", side, (28, 14))
    check_integer("permutation_seed", permutation_seed, 0, MAX_SEED)
    check_integer("valid_size", valid_size, 1, NUM_TRAIN - 1)
    check_integer("seed", seed, 0, MAX_SEED)
    check_flag("normalise", normalise)
    form = _Form(order, side, permutation_seed, normalise)
    images, labels = _read(TRAIN_IMAGES, TRAIN_LABELS)
    train, valid = np.split(permutation(len(images), seed), [len(images) - valid_size])
    return SequenceData(
        name="mnist",
        train=_split(images[train], labels[train], form),
        valid=_split(images[valid], labels[valid], form),
        test=_split(*_read(TEST_IMAGES, TEST_LABELS), form),
        classes=tuple("0123456789"),
        source=f"LeCun, Cortes & Burges, The MNIST database of handwritten digits; {URL}",
        licence="CC BY-SA 3.0 (as commonly stated)",
    )


def _read(image_file: DataFile, label_file: DataFile) -> tuple[np.ndarray, np.ndarray]:
    """Return images, uint8 [N, 28, 28], and labels, uint8 [N]."""
    return parse_idx(read(image_file), image_file.name, 3), parse_idx(read(label_file), label_file.name, 1)


def _split(images: np.ndarray, labels: np.ndarray, form: _Form) -> Split:
    return Split(as_sequences(torch.from_numpy(images), *form), torch.from_numpy(labels).long())


def as_sequences(images: Tensor, order: str, side: int, permutation_seed: int, normalise: bool) -> Tensor:
    """Turn images, uint8 [N, 28, 28], into sequences, float32 [N, L, I]; the arguments are those of ``load``."""
    x = images.float().div_(255)
    if side == 14:
        x = torch.nn.functional.avg_pool2d(x.unsqueeze(1), 2).squeeze(1)
    if normalise:
        x = x.sub_(MEAN).div_(STD)
    if order == "rows":
        return x
    x = x.flatten(1)
    if order == "permuted":
        x = x[:, torch.from_numpy(permutation(x.shape[1], permutation_seed))]
    return x.unsqueeze(-1)
