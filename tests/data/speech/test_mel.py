"""The mel filters, and what they say about noise, against noise itself."""

from __future__ import annotations

import numpy as np

from spikeseq.data.speech.mel import FFT, WINDOW, centres, filters, points, sizes, window


def test_filters_are_triangles_of_peak_one() -> None:
    weights, corner = filters(40), points(40)
    frequency = np.arange(FFT // 2 + 1) * 31.25
    assert weights.shape == (257, 40)
    assert (weights.max() <= 1) & (weights.min() == 0)
    for i in (0, 7, 39):
        expected = np.interp(frequency, corner[i : i + 3], [0, 1, 0], left=0, right=0)
        np.testing.assert_allclose(weights[:, i], expected, atol=1e-12)
    np.testing.assert_allclose((corner[0], corner[-1]), (20, 8000))
    mel = 2595 * np.log10(1 + centres(40) / 700)
    np.testing.assert_allclose(np.diff(mel), np.diff(mel)[0])


def test_white_noise_has_the_mean_and_spread_that_sizes_says() -> None:
    frames = np.random.default_rng(0).standard_normal((20_000, WINDOW)) * window()
    power = np.abs(np.fft.rfft(frames, FFT)) ** 2 @ filters(40)
    area, bins = sizes(40)
    mean = power.mean(0)
    np.testing.assert_allclose(mean, area * (window() ** 2).sum(), rtol=0.03)
    np.testing.assert_allclose(mean**2 / power.var(0), bins, rtol=0.08)
