"""The tasks on the Speech Commands archive: 35 words, 15 words, or ten commands with silence and unknown words.

The 12 classes follow the reference code of the data set (TensorFlow, speech_commands/input_data.py): beside the clips of the
ten commands of a split there are 10 % of their number of other words, drawn, and 10 % of silence: a second of a background
recording at a volume drawn from 0 to 1. There, every split cuts from the whole recordings; here train cuts from the first
80 % of each, valid from the next and test from the last 10 %, so that no silence is seen twice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spikeseq.data.sequence import Sound
from spikeseq.data.shuffle import permutation, uniform
from spikeseq.data.speech.audio import Skipping
from spikeseq.data.speech.logmel import CLIP, log_mel
from spikeseq.data.speech_commands_archive import ARCHIVE, SILENCE, TEST_SET, UNKNOWN, WORDS, Clips, read_clips
from spikeseq.data.speech_commands_prepared import WORDS15
from spikeseq.errors import DataError

COMMANDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
SHARE = 0.1  # of the commands: as many silent clips, and as many unknown words
PARTS = {"train": (0.0, 0.8), "valid": (0.8, 0.9), "test": (0.9, 1.0)}  # of a background recording


class Examples(NamedTuple):
    """Features and classes of each split: uint8 [N, L, I] and int64 [N]."""

    splits: dict[str, tuple[np.ndarray, np.ndarray]]
    sound: Sound | None


class _Part(NamedTuple):
    """One split: clips of the archive by row, then silence."""

    rows: np.ndarray  # [N] int64
    y: np.ndarray  # [N + silent] int64
    silence: np.ndarray  # [silent, 16000] int16


def classes_of(task: str) -> tuple[str, ...]:
    """Names of the classes of a task."""
    return {"words15": WORDS15, "words35": WORDS, "words12": (*COMMANDS, SILENCE, UNKNOWN)}[task]


def archive_examples(task: str, official_test: bool, keep_audio: bool, seed: int, skipping: Skipping) -> Examples:
    """Read the archive and choose the examples of a task; the arguments are those of ``speech_commands.load``."""
    clips = read_clips(ARCHIVE, keep_audio, skipping)
    parts = {split: _part(clips, task, split, seed) for split in PARTS}
    splits = {split: (_features(clips, part), part.y) for split, part in parts.items()}
    if official_test:
        tested = read_clips(TEST_SET, False, skipping)
        splits["test"] = (tested.x, _classes(tested.word, classes_of(task)))
    for split, (_, y) in splits.items():
        missing = sorted(set(range(len(classes_of(task)))) - set(y.tolist()))
        if missing:
            raise DataError(f"speech_commands: {split} has no clip of {[classes_of(task)[k] for k in missing]}")
    return Examples(splits, _sound(clips, parts["train"]) if keep_audio else None)


def _part(clips: Clips, task: str, split: str, seed: int) -> _Part:
    y = _classes(clips.word, classes_of(task))
    own = np.array(clips.split) == split
    rows = np.flatnonzero(own & (y >= 0))
    silence = np.zeros((0, CLIP), np.int16)
    if task != "words12":
        return _Part(rows, y[rows], silence)
    extra = int(np.ceil(SHARE * len(rows)))
    others = np.flatnonzero(own & (y < 0))
    unknown = np.sort(others[permutation(len(others), seed)[:extra]])
    silence = cut_silence([_piece(recording, split) for recording in clips.noise], extra, seed)
    places = [
        np.full(len(part), classes_of(task).index(name)) for part, name in ((silence, SILENCE), (unknown, UNKNOWN))
    ]
    return _Part(np.concatenate([rows, unknown]), np.concatenate([y[rows], places[1], places[0]]), silence)


def _classes(words: list[str], classes: tuple[str, ...]) -> np.ndarray:
    """Place of each word among the classes, int64 [N]; -1 for others."""
    place = {name: k for k, name in enumerate(classes)}
    return np.array([place.get(word, -1) for word in words], np.int64)


def _piece(recording: np.ndarray, split: str) -> np.ndarray:
    low, high = (int(share * len(recording)) for share in PARTS[split])
    return recording[low:high]


def cut_silence(recordings: list[np.ndarray], count: int, seed: int) -> np.ndarray:
    """Return seconds of the recordings, int16 [count, 16000], at places and volumes that ``seed`` names.

    Raises DataError when no recording is as long as a second.
    """
    long = [recording for recording in recordings if len(recording) >= CLIP]
    if not long:
        raise DataError(
            "speech_commands: _background_noise_ has no recording of ten seconds, to cut silence for every split"
        )
    draws = uniform(3 * count, seed).reshape(count, 3)
    cut = np.empty((count, CLIP), np.int16)
    for row, (which, where, volume) in enumerate(draws):
        recording = long[int(which * len(long))]
        start = int(where * (len(recording) - CLIP + 1))
        cut[row] = np.rint(recording[start : start + CLIP] * volume)
    return cut


def _features(clips: Clips, part: _Part) -> np.ndarray:
    return np.concatenate([clips.x[part.rows], *(log_mel(clip)[None] for clip in part.silence)])


def _sound(clips: Clips, part: _Part) -> Sound:
    """The samples of the train split: rows of the archive's, then silence."""
    audio = clips.audio
    assert audio is not None  # keep_audio

    def samples(rows: np.ndarray) -> np.ndarray:
        words = len(part.rows)
        return np.stack([audio[clips.place[part.rows[r]]] if r < words else part.silence[r - words] for r in rows])

    noise = [piece for recording in clips.noise if len(piece := _piece(recording, "train")) >= CLIP]
    return Sound(samples, noise, log_mel)
