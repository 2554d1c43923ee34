r"""The log-mel features of Speech Commands: 98 frames of 40 bands for each second, in whole decibels.

::

    frames of 400 samples (25 ms) every 160 (10 ms), the first at sample 0 (no centring), samples / 32768
    E[n, i] = sum_k w_i(f_k) |FFT_512(frame_n hann)_k|^2       periodic Hann, the filters of mel.py
    dB      = 10 log10(E + 1e-10);   X = clip(round(dB) + 70, 0, 127)

A clip of another length than a second is cut, or filled up with zeros at its end. This is the recipe of the prepared
features (speech_commands_prepared.py), in float64 to hit the same whole dB: kaldi-native-fbank, set to the same windows and
filters, does so in float32 up to one step in a few cells (tests/data/speech/test_logmel.py).
"""

from __future__ import annotations

import numpy as np

from spikeseq.data.speech.mel import FFT, HOP, WINDOW, filters, window

BANDS = 40
FLOOR = -70  # dB of the step 0
TOP = 127
CLIP = 16_000  # samples


def decibels(samples: np.ndarray) -> np.ndarray:
    """Return log-mel features in dB, [.., frames, 40], of samples in [-1, 1), float [.., n], at least 400 of them."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW, axis=-1)[..., ::HOP, :]
    spectrum = np.fft.rfft(frames * window(), FFT)
    power = spectrum.real**2 + spectrum.imag**2
    level: np.ndarray = 10 * np.log10(power @ filters(BANDS) + 1e-10)
    return level


def steps(level: np.ndarray) -> np.ndarray:
    """Return whole dB above FLOOR, uint8, of features in dB."""
    return np.clip(np.rint(level) - FLOOR, 0, TOP).astype(np.uint8)


def log_mel(clips: np.ndarray) -> np.ndarray:
    """Return the features, uint8 [.., 98, 40], of clips of a second, int16 [.., 16000]."""
    return steps(decibels(clips.astype(np.float64) / 32768))


def one_second(samples: np.ndarray) -> np.ndarray:
    """Return the samples cut, or filled up with zeros, to a second: int16 [16000]."""
    clip = np.zeros(CLIP, np.int16)
    clip[: len(samples)] = samples[:CLIP]
    return clip
