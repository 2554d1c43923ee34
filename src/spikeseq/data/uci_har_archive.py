"""UCI HAR archive: the original "UCI HAR Dataset.zip", read without unpacking it to disk.

Inside: ``UCI HAR Dataset/{train,test}/`` with ``Inertial Signals/<channel>_<split>.txt`` (a line is a window of 128
numbers), ``y_<split>.txt`` (activity 1..6) and ``subject_<split>.txt`` (1..30). UCI now serves it inside another zip.

Checksum: we know of no published one, and invent none. Instead every member's CRC-32 and the structure are checked:
shapes, the official 7,352 + 2,947 windows, labels, subjects; and the sha256 of a download is recorded beside it and
compared from then on.
"""

from __future__ import annotations

import io
import zipfile
import zlib

import numpy as np

from spikeseq.data.sources import DataFile
from spikeseq.data.uci_har_windows import CHANNELS, PREPARED, WINDOW, Windows, check_windows
from spikeseq.data.verify import REMEDY
from spikeseq.data.zipped import member_of
from spikeseq.errors import DataError

INNER = "UCI HAR Dataset.zip"
URL = "https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip"
SERVED = DataFile(
    "uci_har",
    "human+activity+recognition+using+smartphones.zip",
    checksum=None,
    url=URL,
    alternatives=(INNER, f"{PREPARED['train'].name} and {PREPARED['test'].name}"),
)
ORIGINAL = DataFile("uci_har", INNER, checksum=None)
OFFICIAL_COUNTS = {"train": 7352, "test": 2947}
MAX_TEXT = 64 * 2**20  # bytes; the largest text, 7,352 windows, takes about 15 MB
MAX_ARCHIVE = 256 * 2**20  # bytes; the real one takes about 60 MB


def read_archive(content: bytes, name: str, counts: dict[str, int] | None = None) -> tuple[Windows, Windows]:
    """Read the train and the test windows from the bytes of the archive, or of the zip round it.

    counts   windows expected in "train" and "test"; None: the official ones

    Raises DataError, naming the archive, when it is no zip, lacks a member, or a member is damaged or too large.
    """
    counts = OFFICIAL_COUNTS if counts is None else counts
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as outer:
            if INNER not in outer.namelist():
                return _read_splits(outer, counts)
            with zipfile.ZipFile(io.BytesIO(member_of(outer, INNER, MAX_ARCHIVE))) as inner:
                return _read_splits(inner, counts)
    # RuntimeError: encrypted; KeyError: no such member; ValueError: a text that is not numbers, and DataError
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"{name} is not the UCI HAR archive, or is damaged: {error}. {REMEDY}") from error


def _read_splits(archive: zipfile.ZipFile, counts: dict[str, int]) -> tuple[Windows, Windows]:
    return _read_split(archive, "train", counts["train"]), _read_split(archive, "test", counts["test"])


def _read_split(archive: zipfile.ZipFile, split: str, count: int) -> Windows:
    folder = f"UCI HAR Dataset/{split}"
    x = np.empty((count, WINDOW, len(CHANNELS)), np.float32)
    for channel, signal in enumerate(CHANNELS):
        x[:, :, channel] = _table(archive, f"{folder}/Inertial Signals/{signal}_{split}.txt", (count, WINDOW))
    y = _integers(archive, f"{folder}/y_{split}.txt", count) - 1
    windows = Windows(x, y, _integers(archive, f"{folder}/subject_{split}.txt", count))
    check_windows(windows, split)
    return windows


def _integers(archive: zipfile.ZipFile, member: str, count: int) -> np.ndarray:
    """Return the integers, int64 [count], of a text member of one number a line."""
    numbers = _table(archive, member, (count, 1))[:, 0]
    if (numbers != np.rint(numbers)).any():
        raise ValueError(f"{member} holds numbers that are not integers")
    return numbers.astype(np.int64)


def _table(archive: zipfile.ZipFile, member: str, shape: tuple[int, int]) -> np.ndarray:
    """Return the finite numbers, float32, of a text member; ValueError unless they have that shape."""
    text = member_of(archive, member, MAX_TEXT)
    if not text.strip():
        raise ValueError(f"{member} is empty")
    try:
        table: np.ndarray = np.loadtxt(io.StringIO(text.decode("ascii")), np.float32, comments=None, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{member}: {error}") from error
    if table.shape != shape:
        raise ValueError(
            f"{member} holds {table.shape[0]} x {table.shape[1]} numbers; expected {shape[0]} x {shape[1]}"
        )
    if not np.isfinite(table).all():
        raise ValueError(f"{member} holds numbers that are not finite")
    return table
