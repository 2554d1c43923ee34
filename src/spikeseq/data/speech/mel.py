r"""The mel filters of the Speech Commands log-mel: triangles between points that are equally far apart in HTK mel.

::

    mel(f) = 2595 log10(1 + f / 700);   I + 2 points from 20 Hz to 8 kHz
    w_i(f) = max(0, min((f - p_i) / (p_{i+1} - p_i), (p_{i+2} - f) / (p_{i+2} - p_{i+1})))    peak 1, linear in Hz

on the bins f = 0, 31.25, .., 8000 Hz of a 512-point FFT at 16 kHz. Source: Young et al., The HTK Book, 5.4.
"""

from __future__ import annotations

import numpy as np

SAMPLE_RATE = 16_000  # Hz
FFT = 512
WINDOW, HOP = 400, 160  # samples, 25 and 10 ms
LOWEST, HIGHEST = 20.0, 8_000.0  # Hz


def points(bands: int) -> np.ndarray:
    """Return the corners of the triangles, Hz, float64 [bands + 2]."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (LOWEST, HIGHEST))
    hertz: np.ndarray = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
    return hertz


def centres(bands: int) -> np.ndarray:
    """Return the frequency of each filter's peak, Hz, float64 [bands]."""
    return points(bands)[1:-1]


def filters(bands: int) -> np.ndarray:
    """Return the weights of each bin in each band, float64 [257, bands]."""
    frequency = np.arange(FFT // 2 + 1)[:, None] * (SAMPLE_RATE / FFT)
    left, peak, right = (points(bands)[k : k + bands] for k in range(3))
    weights: np.ndarray = np.maximum(
        0, np.minimum((frequency - left) / (peak - left), (right - frequency) / (right - peak))
    )
    return weights


def sizes(bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the area below each filter, sum w, and m, how many independent bins it averages; float64 [bands].

    m = (sum w)^2 / (w' R w), R the squared correlation of two bins of white noise: a window shorter than the FFT ties them.
    """
    weights = filters(bands)
    area = weights.sum(0)
    squared = window() ** 2
    correlation = np.abs(np.fft.fft(squared, FFT) / squared.sum()) ** 2
    bins = np.arange(FFT // 2 + 1)
    tied = correlation[np.abs(bins[:, None] - bins)]
    return area, area**2 / np.einsum("ki,kl,li->i", weights, tied, weights, optimize=True)


def window() -> np.ndarray:
    """Return the periodic Hann window of a frame, float64 [400]."""
    hann: np.ndarray = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    return hann
