"""Google Speech Commands: one spoken word in a second of audio, as log-mel features.

Source: Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition", arXiv:1804.03209.
Licence: CC BY 4.0. Checksums: see the reader, speech_commands_prepared.py.
Split: official, by the hash of the speaker: no speaker is in two splits.
"""

from __future__ import annotations

import numpy as np
import torch

from spikeseq.data.options import check_flag
from spikeseq.data.sequence import Decibels, SequenceData, Split
from spikeseq.data.speech_commands_prepared import FLOOR, WORDS15, Clips, read_prepared

SOURCE = "Speech Commands v0.01 and v0.02, 15 words, prepared log-mel features, arXiv:1804.03209"


def load(*, standardise: bool = True) -> SequenceData:
    """Load the 15-word task: L = 98 frames of 10 ms, I = 40 mel bands.

    standardise   True: every band less its mean, over its standard deviation, both from the train split alone;
                  False: dB

    Raises ConfigError for any other value, DataError when a file is missing or corrupt.
    """
    check_flag("standardise", standardise)
    clips = {split: read_prepared(split, WORDS15) for split in ("train", "valid", "test")}
    decibels = scale_of(clips["train"].x) if standardise else Decibels(torch.zeros(()), torch.ones(()), FLOOR)
    splits = {which: as_split(part, decibels) for which, part in clips.items()}
    return SequenceData(
        name="speech_commands",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        classes=WORDS15,
        source=SOURCE,
        licence="CC BY 4.0",
        decibels=decibels,
        element_shape=(),
    )


def scale_of(x: np.ndarray) -> Decibels:
    """Return mean and standard deviation of every band of clips ``[N, L, I]`` uint8."""
    # exact and light: integer sums, one pass each
    count = x.shape[0] * x.shape[1]
    mean = x.sum((0, 1), dtype=np.int64) / count
    square = np.einsum("nli,nli->i", x, x, dtype=np.float64, casting="unsafe") / count
    std = np.sqrt(np.maximum(square - mean**2, 0))
    std[std == 0] = 1  # a constant band becomes 0, not a division by 0
    return Decibels(torch.from_numpy(mean + FLOOR).float(), torch.from_numpy(std).float(), FLOOR)


def as_split(clips: Clips, decibels: Decibels) -> Split:
    """Turn clips into standardised sequences, float32."""
    x = torch.from_numpy(clips.x).float().add_(FLOOR).sub_(decibels.mean).div_(decibels.std)
    return Split(x, torch.from_numpy(clips.y).long())
