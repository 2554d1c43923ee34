"""Utterances packed into one FLAC file, with a table of where each starts and stops: the small speech sets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from spikeseq.data.sources import DataFile
from spikeseq.data.speech.audio import RATE, sound_library
from spikeseq.data.verify import REMEDY, read
from spikeseq.errors import DataError


class Packed(NamedTuple):
    """One utterance and its row of the table."""

    samples: np.ndarray  # [n] int16
    row: dict[str, str]


def read_packed(audio: DataFile, table: DataFile) -> Iterator[Packed]:
    """Yield the utterances in the order of the table. Raises DataError when a file is missing, corrupt, or does not fit."""
    rows = list(csv.DictReader(io.StringIO(read(table).decode("utf-8")), delimiter="\t", quoting=csv.QUOTE_NONE))
    samples, rate = sound_library().read(io.BytesIO(read(audio)), dtype="int16")
    if rate != RATE or samples.ndim != 1:
        raise DataError(
            f"{audio.name}: {rate} samples a second, {samples.ndim} axes; expected {RATE}, one channel. {REMEDY}"
        )
    for row in rows:
        start, stop = int(row["start"]), int(row["stop"])
        if not 0 <= start <= stop <= len(samples):
            raise DataError(f"{table.name}: {start} to {stop} is not within the {len(samples)} samples of {audio.name}")
        yield Packed(samples[start:stop], row)
