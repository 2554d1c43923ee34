"""Speech Commands v0.02 as it is handed out: a folder for each word, the lists of the split, background noise.

Inside: ``<word>/<speaker>_nohash_<n>.wav``, ``_background_noise_/*.wav`` (minutes, not seconds), ``validation_list.txt``
and ``testing_list.txt``. The test set of 12 classes has an archive of its own: ten words, ``_silence_`` and ``_unknown_``.
Checksum: the sha256 that TensorFlow Datasets and torchaudio list for the archive (2,428,923,189 bytes); of the test set
(112,563,277 bytes) the one that several public projects have found.
Split: official: by the SHA-1 of the speaker, which the two lists must agree with.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spikeseq.data.sources import DataFile
from spikeseq.data.speech.audio import BadUtterance, Skipping, check_speech, decode
from spikeseq.data.speech.corpus import find_corpus, kept, members, state_of, text, verify_archive
from spikeseq.data.speech.logmel import BANDS, CLIP, log_mel, one_second
from spikeseq.errors import DataError

PAGE = "https://storage.googleapis.com/download.tensorflow.org/data/"
WORDS = (
    "backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward", "four", "go", "happy", "house",
    "learn", "left", "marvin", "nine", "no", "off", "on", "one", "right", "seven", "sheila", "six", "stop", "three", "tree",
    "two", "up", "visual", "wow", "yes", "zero",
)  # fmt: skip
SILENCE, UNKNOWN, NOISE = "_silence_", "_unknown_", "_background_noise_"
LISTS = {"validation_list.txt": "valid", "testing_list.txt": "test"}
FEATURES, AUDIO, INDEX = "clips.u8", "audio.i16", "index.json"
FRAMES = 98
MAX_SPEAKERS = 2**27 - 1
_CLIP = re.compile(r"(?:^|/)(\w+)/([^/]+\.wav)$")


def _archive(name: str, digest: str) -> DataFile:
    return DataFile(
        "speech_commands", f"{name}.tar.gz", checksum=None, url=f"{PAGE}{name}.tar.gz", served=f"sha256:{digest}"
    )


ARCHIVE = _archive("speech_commands_v0.02", "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58")
TEST_SET = _archive(
    "speech_commands_test_set_v0.02", "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df"
)


class Clips(NamedTuple):
    """Clips of an archive, in the order of word and file name."""

    x: np.ndarray  # [N, 98, 40] uint8, whole dB
    word: list[str]  # N
    split: list[str]  # N of train, valid, test
    noise: list[np.ndarray]  # background recordings, int16
    audio: np.ndarray | None  # [N, 16000] int16, memory-mapped in another order, where it was asked for
    place: np.ndarray  # [N] row of each clip in audio


def which_split(speaker: str) -> str:
    """Return "train", "valid" or "test" for a speaker: the official rule, 80, 10 and 10 % of all speakers."""
    share = int(hashlib.sha1(speaker.encode(), usedforsecurity=False).hexdigest(), 16) % (MAX_SPEAKERS + 1)
    percent = share * 100 / MAX_SPEAKERS
    return "valid" if percent < 10 else "test" if percent < 20 else "train"


def read_clips(archive: DataFile, audio: bool, skipping: Skipping) -> Clips:
    """Read an archive (or the folder of its name): features are computed once, and kept in the cache.

    audio   keep the samples as well: 32 kB a clip
    Raises DataError when it is missing, corrupt, or its lists do not agree with the rule of the split.
    """
    path = find_corpus("speech_commands", archive.name.removesuffix(".tar.gz"), archive)
    key = {"front_end": "log-mel, whole dB, 1", "audio": audio, "on_bad": skipping.on_bad, **state_of(path)}

    def build(folder: Path) -> None:
        verify_archive(path, archive)
        _build(path, folder, audio, Skipping(skipping.on_bad))

    folder = kept("speech_commands", key, build)
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    skipping.add(index["skipped"])
    place = np.array(index["place"], np.int64)
    x = np.fromfile(folder / FEATURES, np.uint8).reshape(-1, FRAMES, BANDS)[place]
    samples = np.memmap(folder / AUDIO, np.int16, "r").reshape(-1, CLIP) if audio else None
    noise = [np.fromfile(folder / name, np.int16) for name in index["noise"]]
    return Clips(x, index["word"], index["split"], noise, samples, place)


def _build(path: Path, folder: Path, audio: bool, skipping: Skipping) -> None:
    """Read every clip and write features, samples and index to ``folder``."""
    clips: list[str] = []
    lists: dict[str, set[str]] = {}
    noise: dict[str, str] = {}
    with (folder / FEATURES).open("wb") as features, (folder / AUDIO).open("wb") as sounds:
        for name, content in members(path, _wanted):
            if name in LISTS:
                lists[LISTS[name]] = set(text(content, f"{path}: {name}", "ascii").split())
            elif name.startswith(NOISE):
                with skipping.guard():
                    samples = decode(content, name)
                    noise[name] = f"noise{len(noise)}.i16"
                    samples.tofile(folder / noise[name])
            else:
                with skipping.guard():
                    clip = _clip(name, content)
                    features.write(log_mel(clip).tobytes())
                    if audio:
                        sounds.write(clip.tobytes())
                    clips.append(name)
    if not clips:
        raise DataError(f"{path} holds no clips such as yes/0a7c2a8d_nohash_0.wav; see data/speech_commands_archive.py")
    place = sorted(range(len(clips)), key=clips.__getitem__)
    ordered = [clips[k] for k in place]
    index = {
        "word": [name.partition("/")[0] for name in ordered], "split": _splits(ordered, lists, path), "place": place,
        "noise": [noise[name] for name in sorted(noise)], "skipped": skipping.counts,
    }  # fmt: skip
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")


def _wanted(name: str) -> str | None:
    """``word/file.wav`` or the name of a list; None for other files."""
    found = _CLIP.search(name)
    own = name.rpartition("/")[2]
    return f"{found[1]}/{found[2]}" if found else own if own in LISTS else None


def _clip(name: str, content: bytes) -> np.ndarray:
    word = name.partition("/")[0]
    if word not in (*WORDS, SILENCE, UNKNOWN):
        raise BadUtterance("label", f"{name}: {word!r} is none of the {len(WORDS)} words of Speech Commands.")
    samples = decode(content, name)
    return one_second(samples if word == SILENCE else check_speech(samples, name))


def _splits(clips: list[str], lists: dict[str, set[str]], path: Path) -> list[str]:
    """Return the split of each clip by the rule. Raises DataError when a list says otherwise."""
    splits = []
    for name in clips:
        split = which_split(name.partition("/")[2].partition("_nohash_")[0])
        listed = next((which for which, names in lists.items() if name in names), "train")
        if len(lists) == len(LISTS) and split != listed:
            raise DataError(
                f"{path}: {name} is {listed} by the lists and {split} by its speaker; the archive was changed"
            )
        splits.append(split)
    return splits
