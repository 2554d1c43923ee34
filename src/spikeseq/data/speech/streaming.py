"""The log-mel features of logmel.py, frame by frame as samples arrive."""

from __future__ import annotations

import numpy as np

from spikeseq.data.speech.logmel import BANDS, decibels, steps
from spikeseq.data.speech.mel import HOP, WINDOW
from spikeseq.errors import DataError


class LogMelStream:
    """A recording in pieces of any length -> the frames of ``log_mel`` of the whole, each once its 400 samples are there.

    Between two pieces it keeps what the next frame needs: fewer than 400 samples.
    """

    def __init__(self) -> None:
        self._held = np.empty(0, np.int16)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Next samples, int16 [n] -> the frames they complete, whole dB above the floor, uint8 [frames, 40]; often none.

        Raises DataError for samples of another type or more axes.
        """
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise DataError(f"samples are {samples.dtype} {list(samples.shape)}: pass int16 [n]")
        held = np.concatenate([self._held, samples])
        frames = max(0, (len(held) - WINDOW) // HOP + 1)
        self._held = held[frames * HOP :]
        if not frames:
            return np.empty((0, BANDS), np.uint8)
        return steps(decibels(held[: (frames - 1) * HOP + WINDOW].astype(np.float64) / 32768))
