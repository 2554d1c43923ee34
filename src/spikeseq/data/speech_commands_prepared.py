"""Speech Commands, prepared: log-mel features of 20,230 clips, of which 15 words have a real train set; no audio.

``X`` uint8 [N, 98, 40]: 1 dB a step, dB = X - 70; 0 is -70 dB or less (digital silence, zero padding). The recipe of the
features is that of speech/logmel.py. Clips of versions 0.01 and 0.02, split by the official speaker rule.
Results are not comparable with published ones on 10, 12 or 35 words, which are other tasks.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np

from spikeseq.data.sources import DataFile
from spikeseq.data.verify import read
from spikeseq.errors import DataError

FRAMES, BANDS = 98, 40
FLOOR = -70  # dB of the value 0
WORDS15 = (
    "bed", "cat", "down", "eight", "five", "go", "happy", "left", "no", "one", "right", "stop", "up", "yes", "zero",
)  # fmt: skip

PREPARED = {
    split: DataFile("speech_commands", f"gsc_logmel_{split}.npz", f"sha256:{digest}", size)
    for split, digest, size in (
        ("train", "0ea1b0e3744c4ec153a9c7dbd01a3db823cceffe05c843ebb5a1c63f543fb0c6", 36_778_593),
        ("valid", "ec75499f1d5e0050604fd1742acb0d81297b4be2dc38cd0008c4c0f2d200fa1c", 4_788_051),
        ("test", "ba532722c52369cfd8fd24fc5d2ea68b7a9a3f05b58b1fa565995967b12868b6", 14_741_141),
    )
}


class Clips(NamedTuple):
    """Clips of one split, as arrays."""

    x: np.ndarray  # [N, 98, 40] uint8, 1 dB a step above FLOOR
    y: np.ndarray  # [N] int64, place of the word in the list that was asked for
    speaker: np.ndarray  # [N] bytes, 8 hexadecimal digits


def read_prepared(split: str, words: tuple[str, ...]) -> Clips:
    """Read the clips of "train", "valid" or "test" whose word is one of ``words``.

    Raises DataError when the file is missing or corrupt, or has no clip of a word.
    """
    file = PREPARED[split]
    with np.load(io.BytesIO(read(file)), allow_pickle=False) as arrays:
        names = [name.decode("ascii") for name in arrays["words"]]
        place = np.full(len(names), -1)
        for k, word in enumerate(words):
            if word in names:
                place[names.index(word)] = k
        y = place[arrays["y"]]
        wanted = y >= 0
        clips = Clips(arrays["X"][wanted], y[wanted], arrays["speaker"][wanted])
    check_clips(clips, file.name, words)
    return clips


def check_clips(clips: Clips, name: str, words: tuple[str, ...]) -> None:
    """Raise DataError unless the shapes fit and every word has a clip."""
    if clips.x.shape != (len(clips.y), FRAMES, BANDS) or clips.x.dtype != np.uint8:
        raise DataError(
            f"{name}: X is {clips.x.dtype} {clips.x.shape}; expected uint8 [{len(clips.y)}, {FRAMES}, {BANDS}]"
        )
    missing = sorted(set(range(len(words))) - set(clips.y.tolist()))
    if missing:
        raise DataError(f"{name} has no clip of {', '.join(words[k] for k in missing)}; leave the word out")
