"""Augmentation: every clip by its own draw, noise of the ratio and spectrum asked for, hidden runs of the right size."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from spikeseq.data import SequenceData, Split
from spikeseq.data.sequence import Decibels
from spikeseq.data.speech.augment import augmenter
from spikeseq.data.speech.augment_features import add_noise, hide, shift_frames
from spikeseq.data.speech.augmentation import Augmentation
from spikeseq.data.speech.mel import centres, sizes
from spikeseq.errors import ConfigError

FLOOR = -70.0


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def log_mel(rows: int = 16) -> SequenceData:
    """Clips of 98 x 40 in dB, between the floor and 40."""
    decibels = torch.rand(rows, 98, 40, generator=seeded()) * 110 + FLOOR
    scale = Decibels(decibels.mean((0, 1)), decibels.std((0, 1)), FLOOR)
    split = Split((decibels - scale.mean) / scale.std, torch.zeros(rows, dtype=torch.int64))
    return SequenceData("toy", split, split, split, ("a",), "here", "none", scale)


def test_clips_move_by_every_shift_and_silence_comes_in() -> None:
    x = torch.arange(7.0).view(1, 7, 1).expand(300, 7, 2)
    moved = shift_frames(x, 2, FLOOR, seeded())
    found = set()
    for clip in moved:
        assert torch.equal(clip[:, 0], clip[:, 1])
        shift = int((torch.arange(7) - clip[:, 0])[clip[:, 0] != FLOOR][0])
        expected = [n - shift if 0 <= n - shift < 7 else FLOOR for n in range(7)]
        assert clip[:, 0].tolist() == expected
        found.add(shift)
    assert found == {-2, -1, 0, 1, 2}


def test_noise_has_the_ratio_that_was_asked_for() -> None:
    """A quiet clip with one loud band: what the others gain is the noise."""
    decibels = torch.full((400, 50, 40), -100.0)
    decibels[:, :, 20] = 30.0
    signal = 10 ** (decibels / 10)
    for ratio in (0.0, 12.0):
        noisy = add_noise(decibels, Augmentation(noise=1, snr_low_db=ratio, snr_high_db=ratio), seeded())
        noise = 10 ** (noisy.double() / 10) - signal
        assert 10 * torch.log10(signal.mean() / noise.mean()) == pytest.approx(ratio, abs=0.2)


def test_noise_of_all_colours_between_white_and_brown() -> None:
    decibels = torch.full((500, 98, 40), -100.0)
    decibels[:, 0] = 0
    noisy = add_noise(decibels, Augmentation(noise=1, snr_low_db=0, snr_high_db=0), seeded())[:, 1:]
    area = torch.from_numpy(sizes(40)[0])
    power = (10 ** (noisy.double() / 10)).mean(1) / area  # [clips, bands]: flat for white noise
    tilt = (power[:, -1] / power[:, 0]).log10() * 10
    brown = -20 * math.log10(centres(40)[-1] / centres(40)[0])  # -20 dB a decade
    shares = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)
    assert torch.quantile(tilt, shares).tolist() == pytest.approx([0.95 * brown, 0.5 * brown, 0.05 * brown], abs=2)
    relative = (noisy - noisy.mean(1, keepdim=True)).std(1).mean(0)
    assert relative[0] > 1.8 * relative[-1]  # a narrow filter averages fewer bins: its noise is rougher


def test_only_a_share_of_the_clips_gets_noise() -> None:
    decibels = torch.zeros(1000, 3, 4)
    noisy = add_noise(decibels, Augmentation(noise=0.3, snr_low_db=0, snr_high_db=0), seeded())
    changed = (noisy != decibels).flatten(1)
    assert torch.equal(changed.any(1), changed.float().mean(1) > 0.5)  # all of a clip or none
    assert changed.any(1).float().mean() == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("axis", [1, 2])
def test_hidden_runs(axis: int) -> None:
    x = torch.ones(3000, 9, 9)
    hidden = hide(x, axis, 1, 4, seeded())
    assert torch.equal(hidden.amin(3 - axis), hidden.amax(3 - axis))  # whole frames, or whole bands
    lines = hidden.amin(3 - axis)  # [clips, 9]
    runs = set()
    for line in lines.tolist():
        places = [k for k, value in enumerate(line) if value == 0]
        assert places == list(range(places[0], places[0] + len(places))) if places else True
        runs.add((places[0], len(places)) if places else (0, 0))
    expected = {(start, width) for width in range(1, 5) for start in range(9 - width + 1)} | {(0, 0)}
    assert runs == expected
    shares = (lines == 0).float().sum(1).long().bincount(minlength=5) / 3000
    assert (shares - 0.2).abs().max() < 0.03
    twice = (hide(x, axis, 2, 4, seeded()).amin(3 - axis) == 0).sum(1)
    assert twice.max() == 8


def test_same_generator_same_clips_and_every_clip_its_own() -> None:
    data = log_mel()
    same = data.train.x[:1].expand(8, -1, -1)
    settings = Augmentation(100, 1.0, 5, 30, 1, 10, 1, 5)
    augment = augmenter(settings, data)
    assert augment is not None
    first, again, other = (augment(same, torch.arange(8), seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({clip.numpy().tobytes() for clip in first}) == 8
    assert torch.equal(same, data.train.x[:1].expand(8, -1, -1))  # what came in is as it was


@pytest.mark.parametrize(
    "settings",
    [
        Augmentation(time_shift_ms=50), Augmentation(noise=1.0, snr_low_db=80, snr_high_db=90),
        Augmentation(time_masks=1, time_mask_frames=9), Augmentation(band_masks=1, band_mask_bands=9),
    ],
)  # fmt: skip
def test_each_part_alone_changes_something_and_stays_above_the_floor(settings: Augmentation) -> None:
    data = log_mel()
    augment = augmenter(settings, data)
    assert augment is not None
    out = augment(data.train.x, torch.arange(16), seeded())
    assert (out - data.train.x).abs().max() > 1e-3
    assert data.decibels is not None
    assert (out * data.decibels.std + data.decibels.mean).min() > FLOOR - 1e-3


def test_nothing_asked_nothing_done() -> None:
    assert augmenter(Augmentation(), log_mel()) is None
    assert augmenter(Augmentation(), dataclasses.replace(log_mel(), decibels=None)) is None


def test_what_cannot_be_done_is_refused() -> None:
    data = log_mel()
    with pytest.raises(ConfigError, match=r"data\.augmentation is set, but toy holds no log-mel"):
        augmenter(Augmentation(noise=0.5), dataclasses.replace(data, decibels=None))
    with pytest.raises(ConfigError, match=r"time_mask_frames=98: pass less than the 98"):
        augmenter(Augmentation(time_masks=1, time_mask_frames=98), data)
    with pytest.raises(ConfigError, match=r"band_mask_bands=50: pass less than the 40"):
        augmenter(Augmentation(band_masks=1, band_mask_bands=50), data)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"time_shift_ms": -1}, "time_shift_ms=-1"),
        ({"noise": 1.5}, "noise=1.5"),
        ({"noise": float("nan")}, "noise=nan"),
        ({"snr_low_db": 31.0}, "snr_low_db=31.0, snr_high_db=30.0"),
        ({"snr_high_db": float("inf")}, "snr_low_db=5.0, snr_high_db=inf"),
        ({"time_masks": 1}, "time_masks=1, time_mask_frames=0: set both"),
        ({"band_mask_bands": 3}, "band_masks=0, band_mask_bands=3: set both"),
    ],
)
def test_bad_settings(fields: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=rf"^data\.augmentation\.{words}"):
        Augmentation(**fields)  # type: ignore[arg-type]
