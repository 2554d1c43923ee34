"""Kaldi filterbank features against their equations in numpy; frames and their middles."""

from __future__ import annotations

import numpy as np
import pytest

from spikeseq.data.speech.fbank import BANDS, fbank, frame_centres, num_frames

pytest.importorskip("kaldi_native_fbank")


def reference(samples: np.ndarray) -> np.ndarray:
    """The equations: mean removed, pre-emphasis, Povey window, power, triangles in mel, natural logarithm."""
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), 400)[::160]
    frames = frames - frames.mean(1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], 1)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    power = np.abs(np.fft.rfft(frames * window, 512)) ** 2
    mel = 1127 * np.log(1 + np.arange(257) * 31.25 / 700)
    low, high = 1127 * np.log(1 + np.array([20, 8000]) / 700)
    corner = np.linspace(low, high, BANDS + 2)
    left, peak, right = corner[:-2], corner[1:-1], corner[2:]
    weights = np.minimum((mel[:, None] - left) / (peak - left), (right - mel[:, None]) / (right - peak)).clip(0)
    return np.log(np.maximum(power @ weights, np.finfo(np.float32).eps))


def test_equations(speech_like) -> None:
    samples = speech_like(9_000)
    features = fbank(samples)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, reference(samples), atol=5e-3)
    assert np.array_equal(features, fbank(samples))  # no dither


@pytest.mark.parametrize("samples", [400, 559, 560, 16_000, 16_079])
def test_number_of_frames(speech_like, samples: int) -> None:
    assert fbank(speech_like(samples)).shape == (num_frames(samples), BANDS)


def test_middles_of_the_frames() -> None:
    assert frame_centres(3).tolist() == [200, 360, 520]
