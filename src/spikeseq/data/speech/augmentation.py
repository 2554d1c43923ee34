"""How training clips are augmented: the settings of a recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spikeseq.errors import ConfigError

FRAME_MS = 10  # hop of every front end here


@dataclass(frozen=True)
class Augmentation:
    """What is done to training clips of log-mel features; every field 0: nothing.

    time_shift_ms: a clip moves by up to this much each way, in whole frames of 10 ms; silence comes in
    noise: share of the clips that get noise
    snr_low_db: lowest signal-to-noise ratio of it
    snr_high_db: highest; drawn evenly in dB
    time_masks: SpecAugment: how many runs of frames are hidden
    time_mask_frames: the longest of these runs
    band_masks: how many runs of mel bands are hidden
    band_mask_bands: the longest of these runs
    """

    time_shift_ms: int = 0
    noise: float = 0.0
    snr_low_db: float = 5.0
    snr_high_db: float = 30.0
    time_masks: int = 0
    time_mask_frames: int = 0
    band_masks: int = 0
    band_mask_bands: int = 0

    def __post_init__(self) -> None:
        for name in ("time_shift_ms", "time_masks", "time_mask_frames", "band_masks", "band_mask_bands"):
            if getattr(self, name) < 0:
                raise ConfigError(f"data.augmentation.{name}={getattr(self, name)}: pass 0 (none) or more")
        if not 0 <= self.noise <= 1:
            raise ConfigError(f"data.augmentation.noise={self.noise}: pass a share of the clips, 0 to 1")
        low, high = self.snr_low_db, self.snr_high_db
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ConfigError(
                f"data.augmentation.snr_low_db={low}, snr_high_db={high}: pass two numbers, the first no larger"
            )
        for count, width in (("time_masks", "time_mask_frames"), ("band_masks", "band_mask_bands")):
            if bool(getattr(self, count)) != bool(getattr(self, width)):
                raise ConfigError(
                    f"data.augmentation.{count}={getattr(self, count)}, {width}={getattr(self, width)}: "
                    "set both, or neither"
                )

    @property
    def shift_frames(self) -> int:
        """Most frames that a clip moves."""
        return self.time_shift_ms // FRAME_MS
