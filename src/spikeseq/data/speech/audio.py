"""Reading audio files: wav, FLAC and NIST SPHERE through libsndfile, with errors that say what is wrong with a file.

libsndfile reads what is there of a truncated wav or SPHERE file without a word; here the length that the header promises
is compared. SPHERE files compressed by "shorten" (old LDC discs) cannot be read.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from spikeseq.data.options import check_choice
from spikeseq.errors import DataError

RATE = 16_000  # Hz, of every speech data set here
SHORTEST = 400  # samples: one frame of every front end here
LONGEST = 3600 * RATE  # samples: an hour; the longest recording of any corpus here takes minutes
_UNKNOWN = (0, 0xFFFFFFFF)  # sizes that a program writes which does not know the length yet


class BadUtterance(DataError):
    """An utterance that cannot be used; ``reason`` is the word it is counted by."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Skipping:
    """What a loader does with bad utterances: raise the first, or leave them out and count them by reason.

    on_bad   "error" or "skip"
    Raises ConfigError for another value.
    """

    def __init__(self, on_bad: str) -> None:
        check_choice("on_bad", on_bad, ("error", "skip"))
        self.on_bad = on_bad
        self.counts: dict[str, int] = {}

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Around the reading of one utterance."""
        try:
            yield
        except BadUtterance as error:
            if self.on_bad == "error":
                raise BadUtterance(error.reason, f"{error} To leave such utterances out: on_bad: skip") from error
            self.add({error.reason: 1})

    def add(self, counts: Mapping[str, int]) -> None:
        """Count what was left out when a corpus was read before."""
        for reason, count in counts.items():
            self.counts[reason] = self.counts.get(reason, 0) + count


def sound_library() -> Any:
    """Return soundfile. Raises DataError, saying how to install it, when it is not there."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the Python part without libsndfile
        raise DataError(f"reading audio needs soundfile ({error}): pip install 'spikeseq[speech]'") from error
    return soundfile


def decode(content: bytes, name: str) -> np.ndarray:
    """Return the samples of a file, int16 [n]: 16 kHz, one channel.

    Samples that are fractions (float files) are taken from -1 to 1, beyond that clipped. Raises BadUtterance, naming the file,
    when it is empty, damaged, truncated, of another rate, of more channels, or says that it is longer than an hour.
    """
    library = sound_library()
    if not content:
        raise BadUtterance("empty", f"{name} is empty: 0 bytes.")
    if content.startswith(b"NIST_1A") and re.search(rb"sample_coding [^\n]*shorten", content[:1024]):
        raise BadUtterance(
            "compressed",
            f"{name} is compressed by shorten, which libsndfile cannot read; unpack it with `sph2pipe -f wav` "
            "or `w_decode -o pcm`.",
        )
    try:
        with library.SoundFile(io.BytesIO(content)) as file:
            _check_header(file.samplerate, file.channels, file.frames, name)  # as much as it says is made room for
            promised = _promised(content, file.frames)
            samples = _whole_numbers(file, name)
    except library.SoundFileError as error:
        raise BadUtterance(
            "damaged", f"{name} is damaged or no audio file ({getattr(error, 'error_string', error)})"
        ) from error
    if len(samples) < promised:
        raise BadUtterance("truncated", f"{name} is truncated: {len(samples)} samples of {promised}.")
    return samples


def _whole_numbers(file: Any, name: str) -> np.ndarray:
    """All samples as int16; libsndfile does not scale those that are fractions."""
    if file.subtype not in ("FLOAT", "DOUBLE"):
        whole: np.ndarray = file.read(dtype="int16")
        return whole
    fractions = file.read(dtype="float64")
    if not np.isfinite(fractions).all():
        raise BadUtterance("damaged", f"{name} is damaged: it holds samples that are no numbers.")
    return np.clip(np.round(fractions * 2**15), -(2**15), 2**15 - 1).astype(np.int16)


def _check_header(rate: int, channels: int, frames: int, name: str) -> None:
    if rate != RATE:
        raise BadUtterance("sample_rate", f"{name} has {rate} samples a second; resample it to {RATE}.")
    if channels != 1:
        raise BadUtterance("channels", f"{name} has {channels} channels; mix it down to one.")
    if frames > LONGEST:
        raise BadUtterance("too_long", f"{name} says that it has {frames} samples; at most {LONGEST} are read.")


def check_speech(samples: np.ndarray, name: str) -> np.ndarray:
    """Return samples that can be speech. Raises BadUtterance when they are less than a frame, or silence."""
    if len(samples) < SHORTEST:
        raise BadUtterance("empty", f"{name} has {len(samples)} samples; a frame alone takes {SHORTEST}.")
    if (samples == samples[0]).all():
        raise BadUtterance("silent", f"{name} is silent: every sample is {samples[0]}.")
    return samples


def _promised(content: bytes, found: int) -> int:
    """Samples that the header promises; what was found where it promises nothing."""
    if content.startswith(b"NIST_1A"):
        count = re.search(rb"sample_count -i (\d+)", content[:1024])
        return int(count[1]) if count else found
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return _promised_wav(content, found)
    return found  # FLAC: what is cut off is no longer a frame, and libsndfile raises


def _promised_wav(content: bytes, found: int) -> int:
    place, frame = 12, 0
    while place + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, place)
        if kind == b"fmt " and place + 24 <= len(content):
            (frame,) = struct.unpack_from("<H", content, place + 20)  # bytes of one sample of all channels
        if kind == b"data":
            return found if size in _UNKNOWN or not frame else size // frame
        place += 8 + size + size % 2
    return found
