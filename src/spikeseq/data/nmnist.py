"""N-MNIST: MNIST digits seen by an event camera that moves in three saccades, 34 x 34 pixels, about 0.3 s each.

Source: Orchard, Jayawant, Cohen & Thakor, "Converting static image datasets to spiking neuromorphic datasets using saccades",
Front. Neurosci. 2015, doi:10.3389/fnins.2015.00437. Licence: CC BY-SA 4.0.
Checksums: of the prepared subset below; of the original Train.zip and Test.zip none is published, their members' CRC-32 is
checked. Split: official test; valid is taken from the official train recordings.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch

from spikeseq.data.events.atis import parse_bin
from spikeseq.data.events.frames import Events, Framing, to_frames
from spikeseq.data.options import MAX_SEED, check_choice, check_integer
from spikeseq.data.sequence import SequenceData, Split
from spikeseq.data.shuffle import permutation
from spikeseq.data.sources import DataFile, find
from spikeseq.data.verify import REMEDY, read
from spikeseq.data.zipped import member_of
from spikeseq.errors import ConfigError, DataError

SIDE = 34
PREPARED = {
    "train": DataFile(
        "nmnist_small",
        "train.npz",
        "sha256:2286162c62b7751b464bad443d78136fa5246357812bbd2c74f99a7ea215bb68",
        10_725_135,
    ),
    "test": DataFile(
        "nmnist_small", "test.npz", "sha256:c73ef3a11430f2901a83530096839065bf777168c38042739ba6832dde05bc00", 1_005_006
    ),
}
ORIGINAL = {
    "train": DataFile("nmnist", "Train.zip", None, alternatives=("../nmnist_small/train.npz and test.npz",)),
    "test": DataFile("nmnist", "Test.zip", None),
}
SOURCES = {
    "prepared": "N-MNIST, first 1,000 and 100 recordings, doi:10.3389/fnins.2015.00437",
    "original": "N-MNIST, doi:10.3389/fnins.2015.00437",
}
MEMBER = re.compile(r"(?:.*/)?([0-9])/[^/]*\.bin$")  # Train/7/00042.bin
MAX_MEMBER = 2**22  # bytes; the largest recording takes about 60 kB


def load(
    *,
    frames: int = 10,
    by: Literal["time", "count"] = "time",
    window: int | None = None,
    size: int = SIDE,
    polarity: bool = True,
    most: int | None = None,
    valid_size: int = 200,
    seed: int = 0,
    variant: str = "auto",
) -> SequenceData:
    """Load N-MNIST as frames: L = frames, I = channels x size x size, flattened (``element_shape`` says how).

    frames, by, window, size, polarity, most   see Framing in events/frames.py; size 34, 17, 2 or 1
    valid_size, seed   valid is the last valid_size of the train recordings shuffled with seed
    variant            "prepared": the subset; "original": Train.zip and Test.zip; "auto": original where it is, else
                       prepared; ``source`` says which

    Raises ConfigError for any other value, DataError when a file is missing or corrupt.
    """
    framing = Framing(frames, size, by, window, polarity, most)
    framing.check(SIDE)
    check_integer("valid_size", valid_size, 1, 59_999)
    check_integer("seed", seed, 0, MAX_SEED)
    check_choice("variant", variant, ("auto", "prepared", "original"))
    if variant == "auto":
        variant = "original" if find(ORIGINAL["train"]) else "prepared"
    whole = {part: _frames(variant, part, framing) for part in ("train", "test")}
    x, y = whole["train"]
    if valid_size >= len(y):
        raise ConfigError(f"valid_size={valid_size} leaves none of the {len(y)} train recordings; pass less")
    order = torch.from_numpy(permutation(len(y), seed))
    train, valid = order[:-valid_size], order[-valid_size:]
    return SequenceData(
        name="nmnist",
        train=Split(x[train], y[train]),
        valid=Split(x[valid], y[valid]),
        test=whole["test"],
        classes=tuple("0123456789"),
        source=SOURCES[variant],
        licence="CC BY-SA 4.0",
        element_shape=(framing.channels(), size, size),
    )


def _frames(variant: str, part: str, framing: Framing) -> Split:
    """Frames ``[N, L, I]`` and labels ``[N]`` of all recordings of a part."""
    recordings = _prepared(part) if variant == "prepared" else _original(part)
    x, y = [], []
    for number, (events, label) in enumerate(recordings):
        found = to_frames(events, framing, SIDE, f"nmnist, {part} recording {number}")
        x.append(found.reshape(framing.frames, -1))
        y.append(label)
    if not x:
        raise DataError(f"nmnist, {part}: no recordings in the files. {REMEDY}")
    return Split(torch.from_numpy(np.stack(x)), torch.tensor(y))


def _prepared(part: str) -> Iterator[tuple[Events, int]]:
    """The recordings of the subset: one list of all events, with offsets."""
    with np.load(io.BytesIO(read(PREPARED[part])), allow_pickle=False) as arrays:
        x, y, p, dt, offset, label = (arrays[name] for name in ("x", "y", "p", "dt", "offset", "label"))
    for row, digit in enumerate(label):
        own = slice(offset[row], offset[row + 1])
        yield Events(x[own], y[own], p[own], np.cumsum(dt[own], dtype=np.int64)), int(digit)


def _original(part: str) -> Iterator[tuple[Events, int]]:
    """The recordings of the archive, by name; the folder says the digit."""
    file = ORIGINAL[part]
    try:
        with zipfile.ZipFile(io.BytesIO(read(file))) as archive:
            for name in sorted(archive.namelist()):
                found = MEMBER.match(name)
                if found is None:
                    continue
                yield parse_bin(member_of(archive, name, MAX_MEMBER), f"{file.name}: {name}"), int(found[1])
    except DataError:
        raise
    # RuntimeError: encrypted; ValueError, OSError: places that cannot be, or a member that is too large
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
        raise DataError(f"{file.name} is no zip archive, or is damaged: {error}. {REMEDY}") from error
