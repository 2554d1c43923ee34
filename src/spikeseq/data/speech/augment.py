"""The augmentation of a data set: of its features, or of the samples behind them where it has them; then SpecAugment."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from spikeseq.data.sequence import SequenceData
from spikeseq.data.speech.augment_clips import augment_clips
from spikeseq.data.speech.augment_features import add_noise, hide, shift_frames
from spikeseq.data.speech.augmentation import Augmentation
from spikeseq.data.utterances import SpeechData
from spikeseq.errors import ConfigError

Mask = Callable[[Tensor, Tensor, torch.Generator], Tensor]  # x [B, L, I], lengths [B] -> x
Augment = Callable[[Tensor, Tensor, torch.Generator], Tensor]  # x [B, L, I], rows [B] -> x


def augmenter(settings: Augmentation, data: SequenceData) -> Augment | None:
    """Return the function ``x [B, L, I], rows [B], generator -> x`` for a data set; None when there is nothing to do.

    Where the data set has the samples of its train split, shift and noise are done to these, and features made of them.
    Raises ConfigError for a shift or noise on data that are no log-mel features in dB, and for masks as long as the clip.
    """
    if settings == Augmentation():
        return None
    if data.decibels is None:
        raise ConfigError(
            f"data.augmentation is set, but {data.name} holds no log-mel features in dB; leave it out (speech_commands has)"
        )
    for name, size in (("time_mask_frames", data.seq_len), ("band_mask_bands", data.input_size)):
        if getattr(settings, name) >= size:
            raise _too_wide(name, getattr(settings, name), size)
    decibels, sound = data.decibels, data.sound
    if sound is not None and settings.noise and not sound.noise:
        raise ConfigError("data.augmentation.noise is set, but the archive has no _background_noise_; set it to 0")

    def augment(x: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        if sound is None:
            level = _shifted_and_noisy(x * decibels.std + decibels.mean, decibels.floor, settings, generator)
        else:
            clips = augment_clips(sound.clips(rows.numpy()), sound.noise, settings, generator)
            level = torch.from_numpy(sound.features(clips)).float() + decibels.floor
        x = (level - decibels.mean) / decibels.std
        x = hide(x, 1, settings.time_masks, settings.time_mask_frames, generator)
        return hide(x, 2, settings.band_masks, settings.band_mask_bands, generator)

    return augment


def _shifted_and_noisy(level: Tensor, floor: float, settings: Augmentation, generator: torch.Generator) -> Tensor:
    if settings.shift_frames:
        level = shift_frames(level, settings.shift_frames, floor, generator)
    return add_noise(level, settings, generator).clamp(min=floor) if settings.noise else level


def masker(settings: Augmentation, data: SpeechData) -> Mask | None:
    """Return the function ``x [B, L, I], lengths [B], generator -> x`` that hides frames and bands; None: nothing to do.

    Raises ConfigError for a shift or noise, which these features, scaled by speaker, cannot be given.
    """
    if settings == Augmentation():
        return None
    if settings.time_shift_ms or settings.noise:
        raise ConfigError(
            f"data.augmentation.time_shift_ms={settings.time_shift_ms}, noise={settings.noise}: the features of "
            f"{data.name} are scaled by speaker; set both to 0 and use time_masks and band_masks"
        )
    if settings.band_mask_bands >= data.input_size:
        raise _too_wide("band_mask_bands", settings.band_mask_bands, data.input_size)

    def mask(x: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
        x = hide(x, 1, settings.time_masks, settings.time_mask_frames, generator, lengths)
        return hide(x, 2, settings.band_masks, settings.band_mask_bands, generator)

    return mask


def _too_wide(name: str, value: int, size: int) -> ConfigError:
    return ConfigError(f"data.augmentation.{name}={value}: pass less than the {size} there are")
