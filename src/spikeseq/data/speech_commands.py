"""Google Speech Commands: one spoken word in a second of audio, as log-mel features.

Source: Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition", arXiv:1804.03209.
Licence: CC BY 4.0. Checksums: see the two readers, speech_commands_prepared.py and speech_commands_archive.py.
Split: official, by the hash of the speaker: no speaker is in two splits.
"""

from __future__ import annotations

import numpy as np
import torch

from spikeseq.data.options import MAX_SEED, check_choice, check_integer
from spikeseq.data.sequence import Decibels, SequenceData, Split
from spikeseq.data.speech.audio import Skipping
from spikeseq.data.speech.logmel import FLOOR
from spikeseq.data.speech_commands_prepared import WORDS15, read_prepared
from spikeseq.data.speech_commands_tasks import Examples, archive_examples, classes_of
from spikeseq.errors import ConfigError
from spikeseq.shapes import check_flag

SOURCES = {
    "prepared": "Speech Commands v0.01 and v0.02, 15 words, prepared log-mel features, arXiv:1804.03209",
    "archive": "Speech Commands v0.02, arXiv:1804.03209",
}


def load(
    *,
    task: str = "words15",
    variant: str = "prepared",
    standardise: bool = True,
    official_test: bool = False,
    keep_audio: bool = False,
    seed: int = 0,
    on_bad: str = "error",
) -> SequenceData:
    """Load Speech Commands: L = 98 frames of 10 ms, I = 40 mel bands.

    task            "words15": the 15 words with a prepared train set; "words35": all; "words12": ten commands, silence and
                    unknown (speech_commands_tasks.py)
    variant         "prepared": log-mel files of the 15 words; "archive": the original, downloaded where it is not found
                    (2.4 GB)
    standardise     True: every band less its mean, over its standard deviation, both from the train split alone; False: dB
    official_test   words12: test on the official test set (another 0.1 GB), not on clips drawn from the test split
    keep_audio      archive: augment the samples, not the features; takes 32 kB a clip on disk
    seed            words12: names the silence and the unknown words that are drawn
    on_bad          archive: "error": the first bad clip is an error; "skip": bad ones are left out and counted

    Raises ConfigError for any other value, DataError when a file is missing or corrupt.
    """
    check_choice("task", task, ("words15", "words12", "words35"))
    check_choice("variant", variant, ("prepared", "archive"))
    for option, value in (("standardise", standardise), ("official_test", official_test), ("keep_audio", keep_audio)):
        check_flag(option, value)
    check_integer("seed", seed, 0, MAX_SEED)
    skipping = Skipping(on_bad)
    if variant == "prepared" and (task != "words15" or keep_audio):
        raise ConfigError(
            f"task={task!r}, keep_audio={keep_audio}: the prepared files have neither; use variant: archive"
        )
    if official_test and task != "words12":
        raise ConfigError(f"official_test=True with task={task!r}: the official test set is that of words12")
    if variant == "prepared":
        clips = {split: read_prepared(split, WORDS15) for split in ("train", "valid", "test")}
        examples = Examples({split: (part.x, part.y) for split, part in clips.items()}, None)
    else:
        examples = archive_examples(task, official_test, keep_audio, seed, skipping)
    train = examples.splits["train"][0]
    decibels = scale_of(train) if standardise else Decibels(torch.zeros(()), torch.ones(()), FLOOR)
    return SequenceData(
        name="speech_commands",
        train=as_split(*examples.splits["train"], decibels),
        valid=as_split(*examples.splits["valid"], decibels),
        test=as_split(*examples.splits["test"], decibels),
        classes=classes_of(task),
        source=SOURCES[variant],
        licence="CC BY 4.0",
        decibels=decibels,
        sound=examples.sound,
        skipped=skipping.counts,
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


def as_split(x: np.ndarray, y: np.ndarray, decibels: Decibels) -> Split:
    """Turn clips ``[N, L, I]`` uint8 and their classes into standardised sequences, float32."""
    level = torch.from_numpy(x).float().add_(FLOOR)
    return Split(level.sub_(decibels.mean).div_(decibels.std), torch.from_numpy(y).long())
