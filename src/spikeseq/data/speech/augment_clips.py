r"""Augmentation of raw clips, before the front end: time shift, and background noise of a drawn signal-to-noise ratio.

::

    s[n] <- s[n - shift]                     zeros come in
    s    <- s + a noise[start : start + n]   a from the ratio of the mean powers; what exceeds 16 bits is clipped

Every clip has draws of its own. Masks (SpecAugment) are for the features: augment_features.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from spikeseq.data.speech.augmentation import Augmentation

PER_MS = 16  # samples of a millisecond


def augment_clips(
    clips: np.ndarray, noise: Sequence[np.ndarray], settings: Augmentation, generator: torch.Generator
) -> np.ndarray:
    """Return shifted and noisy clips, int16 [B, n]; ``clips`` stay as they are."""
    batch, length = clips.shape
    most = settings.time_shift_ms * PER_MS
    shift = torch.randint(-most, most + 1, (batch,), generator=generator).tolist()
    chosen = (torch.rand(batch, generator=generator) < settings.noise).tolist()
    low, high = settings.snr_low_db, settings.snr_high_db
    ratio = (low + (high - low) * torch.rand(batch, generator=generator, dtype=torch.float64)).tolist()
    draws = torch.rand(batch, 2, generator=generator, dtype=torch.float64).tolist()
    out = np.zeros((batch, length))
    for row in range(batch):
        move = max(-length, min(length, shift[row]))
        out[row, max(0, move) : length + min(0, move)] = clips[row, max(0, -move) : length - max(0, move)]
        if chosen[row]:
            out[row] += _noise(out[row], noise, ratio[row], draws[row])
    return np.clip(np.rint(out), -32768, 32767).astype(np.int16)


def _noise(clip: np.ndarray, recordings: Sequence[np.ndarray], ratio: float, draws: Sequence[float]) -> np.ndarray:
    """A piece of a recording, scaled to ``ratio`` dB below the clip."""
    recording = recordings[int(draws[0] * len(recordings))]
    start = int(draws[1] * (len(recording) - len(clip) + 1))
    piece = recording[start : start + len(clip)].astype(np.float64)
    power = float((piece**2).mean())
    scale = np.sqrt((clip**2).mean() / power * 10 ** (-ratio / 10)) if power else 0.0
    scaled: np.ndarray = scale * piece
    return scaled
