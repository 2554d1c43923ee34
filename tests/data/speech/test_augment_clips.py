"""Augmentation of raw clips: shift, noise of the ratio asked for, and features made of the new samples."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spikeseq.data import SequenceData, Split
from spikeseq.data.sequence import Decibels, Sound
from spikeseq.data.speech.augment import augmenter
from spikeseq.data.speech.augment_clips import augment_clips
from spikeseq.data.speech.augmentation import Augmentation
from spikeseq.data.speech.logmel import FLOOR, log_mel
from spikeseq.errors import ConfigError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_clips_move_by_whole_samples_and_zeros_come_in() -> None:
    clips = np.tile(np.arange(1, 41, dtype=np.int16), (600, 1))
    moved = augment_clips(clips, [], Augmentation(time_shift_ms=1), seeded())  # up to 16 samples
    found = set()
    for clip in moved:
        there = np.flatnonzero(clip)
        shift = int(there[0] - (clip[there[0]] - 1))
        expected = np.zeros(40, np.int16)
        expected[max(0, shift) : 40 + min(0, shift)] = clips[0][max(0, -shift) : 40 - max(0, shift)]
        assert np.array_equal(clip, expected)
        found.add(shift)
    assert found == set(range(-16, 17))
    assert (clips == np.arange(1, 41)).all()


def test_a_shift_beyond_the_clip_leaves_silence() -> None:
    clips = np.ones((50, 8), np.int16)
    moved = augment_clips(clips, [], Augmentation(time_shift_ms=100), seeded())
    assert (moved.sum(1) == 0).any()


@pytest.mark.parametrize("ratio", [0.0, 15.0])
def test_noise_of_the_recordings_at_the_ratio_asked_for(speech_like, ratio: float) -> None:
    clips = np.stack([speech_like(2000, seed) for seed in range(20)])
    recording = speech_like(3000, 99)
    settings = Augmentation(noise=1.0, snr_low_db=ratio, snr_high_db=ratio)
    added = augment_clips(clips, [recording], settings, seeded()).astype(float) - clips
    for clip, noise in zip(clips.astype(float), added, strict=True):
        assert 10 * np.log10((clip**2).mean() / (noise**2).mean()) == pytest.approx(ratio, abs=0.1)
    windows = np.lib.stride_tricks.sliding_window_view(recording.astype(float), 2000)
    likeness = windows @ added[0] / np.linalg.norm(windows, axis=1) / np.linalg.norm(added[0])
    assert likeness.max() > 0.999  # a piece of the recording
    assert len({int(np.argmax(windows @ noise / np.linalg.norm(windows, axis=1))) for noise in added[:5]}) > 2


def test_a_share_of_the_clips_gets_noise_from_all_recordings(speech_like) -> None:
    clips = np.stack([speech_like(500, 1)] * 400)
    recordings = [np.full(600, 50, np.int16), np.full(600, -50, np.int16)]
    out = augment_clips(clips, recordings, Augmentation(noise=0.25, snr_low_db=0, snr_high_db=0), seeded())
    sign = np.sign((out.astype(int) - clips).mean(1))
    assert (sign != 0).mean() == pytest.approx(0.25, abs=0.06)
    assert (sign > 0).sum() == pytest.approx((sign < 0).sum(), abs=35)


def test_silent_noise_and_full_scale(speech_like) -> None:
    loud = np.full((3, 800), 32_000, np.int16)
    settings = Augmentation(noise=1.0, snr_low_db=0, snr_high_db=0)
    assert np.array_equal(augment_clips(loud, [np.zeros(900, np.int16)], settings, seeded()), loud)
    assert augment_clips(loud, [np.full(900, 99, np.int16)], settings, seeded()).max() == 32_767  # clipped, not wrapped


def sounding(speech_like, rows: int = 6) -> SequenceData:
    clips = np.stack([speech_like(16_000, seed) for seed in range(rows)])
    scale = Decibels(torch.tensor(-20.0), torch.tensor(8.0), FLOOR)
    split = Split((torch.from_numpy(log_mel(clips)).float() + FLOOR + 20) / 8, torch.zeros(rows, dtype=torch.int64))
    sound = Sound(lambda chosen: clips[chosen], [speech_like(20_000, 7)], log_mel)
    return SequenceData("toy", split, split, split, ("a",), "here", "none", scale, sound=sound)


def test_features_are_made_of_the_augmented_samples(speech_like) -> None:
    data = sounding(speech_like)
    settings = Augmentation(time_shift_ms=100, noise=0.5)
    augment = augmenter(settings, data)
    assert augment is not None
    assert data.sound is not None
    rows = torch.tensor([4, 1])
    out = augment(data.train.x[rows], rows, seeded(5))
    clips = augment_clips(data.sound.clips(rows.numpy()), data.sound.noise, settings, seeded(5))
    assert torch.equal(out, (torch.from_numpy(log_mel(clips)).float() + FLOOR + 20) / 8)
    assert torch.equal(out, augment(data.train.x[rows], rows, seeded(5)))
    assert not torch.equal(out, augment(data.train.x[rows], rows, seeded(6)))
    masked = augmenter(dataclasses.replace(settings, time_masks=1, time_mask_frames=90), data)
    assert masked is not None
    assert (masked(data.train.x, torch.arange(6), seeded()) == 0).all(2).sum() > 60


def test_noise_without_recordings(speech_like) -> None:
    data = sounding(speech_like)
    assert data.sound is not None
    quiet = dataclasses.replace(data, sound=data.sound._replace(noise=[]))
    with pytest.raises(ConfigError, match="no _background_noise_"):
        augmenter(Augmentation(noise=0.5), quiet)
    assert augmenter(Augmentation(time_shift_ms=10), quiet) is not None
