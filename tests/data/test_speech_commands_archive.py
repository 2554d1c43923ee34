"""Speech Commands from the original archive: small ones in its layout, the official split, 12 and 35 words, bad files."""

from __future__ import annotations

import hashlib
import re
from collections import Counter

import numpy as np
import pytest
import torch

from spikeseq.data import speech_commands, speech_commands_archive
from spikeseq.data.shuffle import uniform
from spikeseq.data.speech.audio import BadUtterance
from spikeseq.data.speech.logmel import log_mel, one_second
from spikeseq.data.speech_commands_archive import LISTS, WORDS, which_split
from spikeseq.data.speech_commands_prepared import WORDS15
from spikeseq.data.speech_commands_tasks import COMMANDS, cut_silence
from spikeseq.errors import ConfigError, DataError

# one speaker of each split, by the official rule
SPEAKERS = {"valid": "026290a7", "test": "1528225c", "train": "0a7c2a8d"}
TOP = "speech_commands/speech_commands_v0.02"


def test_speakers_of_the_prepared_files_are_where_the_rule_puts_them(real_folder) -> None:
    """Their split was compared with the official lists, all 13,633 names of them (README of the data)."""
    for split in ("train", "valid", "test"):
        with np.load(real_folder("speech_commands") / f"gsc_logmel_{split}.npz") as arrays:
            speakers = {speaker.decode() for speaker in arrays["speaker"]} - {"--------"}
        assert {which_split(speaker) for speaker in speakers} == {split}


def test_the_rule() -> None:
    found = Counter(which_split(f"{k:08x}") for k in range(5000))
    assert found["train"] / 5000 == pytest.approx(0.8, abs=0.02)
    assert found["valid"] / 5000 == pytest.approx(0.1, abs=0.02)
    assert {split: which_split(speaker) for split, speaker in SPEAKERS.items()} == {s: s for s in SPEAKERS}


@pytest.fixture(scope="module")
def files(speech_like, sound_file) -> dict[str, bytes]:
    """A small archive by name: each of 35 words by a speaker of each split, the lists, two background recordings."""
    made: dict[str, bytes] = {}
    lists: dict[str, list[str]] = {"valid": [], "test": [], "train": []}
    for k, word in enumerate(WORDS):
        for n, (split, speaker) in enumerate(SPEAKERS.items()):
            name = f"{word}/{speaker}_nohash_0.wav"
            made[name] = sound_file(speech_like(16_000 if k % 5 else 12_000, 3 * k + n))
            lists[split].append(name)
    for name, split in LISTS.items():
        made[name] = "\n".join(lists[split]).encode()
    for k in range(2):
        made[f"_background_noise_/hum{k}.wav"] = sound_file(speech_like(175_000 + 1000 * k, 900 + k))
    made["README.md"] = made["_background_noise_/README.md"] = b"hello"
    return made


@pytest.fixture
def unpacked(corpus, files):
    """A function: changes -> the archive as a folder."""

    def put(changes: dict[str, bytes] | None = None) -> None:
        corpus({f"{TOP}/{name}": content for name, content in {**files, **(changes or {})}.items()})

    return put


def load(task: str = "words35", **options: object):
    return speech_commands.load(task=task, variant="archive", **options)  # type: ignore[arg-type]


def test_all_words(unpacked, speech_like) -> None:
    unpacked()
    data = load()
    assert data.classes == WORDS
    assert (data.seq_len, data.input_size) == (98, 40)
    for n, split in enumerate(("valid", "test", "train")):
        part = getattr(data, split)
        assert part.y.tolist() == list(range(35))
        clips = np.stack([one_second(speech_like(16_000 if k % 5 else 12_000, 3 * k + n)) for k in range(35)])
        assert data.decibels is not None
        decibels = part.x * data.decibels.std + data.decibels.mean
        assert torch.equal(decibels.round(), torch.from_numpy(log_mel(clips)).float() - 70)
    assert data.sound is None


def test_fifteen_words_of_the_archive(unpacked) -> None:
    unpacked()
    data = load("words15")
    assert data.classes == WORDS15
    assert data.train.y.tolist() == list(range(15))


def test_twelve_classes(unpacked, files) -> None:
    unpacked()
    data = load("words12")
    assert data.classes == (*COMMANDS, "_silence_", "_unknown_")
    for split in (data.train, data.valid, data.test):
        # ten commands, and 10 % of ten: one unknown word, one silence
        assert Counter(split.y.tolist()) == Counter(range(12))
    again, other = load("words12"), [load("words12", seed=seed).train.x for seed in range(1, 6)]
    assert torch.equal(again.train.x, data.train.x)
    assert any(not torch.equal(x[10:], data.train.x[10:]) for x in other)  # another word, another silence
    plain = load("words35")
    unknown = data.train.x[10] * data.decibels.std + data.decibels.mean
    words = plain.train.x * plain.decibels.std + plain.decibels.mean
    (which,) = ((words - unknown).abs().amax((1, 2)) < 1e-3).nonzero().flatten().tolist()
    assert WORDS[which] not in COMMANDS


def test_silence_of_a_split_is_cut_from_its_own_part_of_the_recordings() -> None:
    ramp = np.arange(30_000, dtype=np.int16)
    cut = cut_silence([ramp], 200, 0)
    assert cut.shape == (200, 16_000)
    slope = np.median(np.diff(cut.astype(float)[:, ::1000], axis=1), axis=1) / 1000  # the volume
    assert slope.min() >= 0
    assert slope.min() < 0.05
    assert 0.95 < slope.max() <= 1
    start = cut[slope > 0.5][:, 0] / slope[slope > 0.5]
    assert start.min() >= -2
    assert start.max() > 12_000
    with pytest.raises(DataError, match="no recording of ten seconds"):
        cut_silence([np.zeros(15_999, np.int16)], 1, 0)


def test_uniform_numbers_stay_as_they_are() -> None:
    assert uniform(3, 0).round(6).tolist() == [0.636962, 0.269787, 0.040974]
    assert 0 <= uniform(1000, 1).min() < uniform(1000, 1).max() < 1


def test_the_archive_itself_holds_the_same(unpacked, corpus, files, tar_gz, monkeypatch, tmp_path) -> None:
    unpacked()
    original = load("words12", keep_audio=True)
    packed = tar_gz({f"./{name}": content for name, content in reversed(files.items())})  # in another order
    data = corpus({"packed/speech_commands/speech_commands_v0.02.tar.gz": packed})
    monkeypatch.setenv("SPIKESEQ_DATA", str(data / "packed"))
    with pytest.raises(DataError, match=r"expected sha256:af14739e.*, found sha256:"):
        load("words12")
    served = f"sha256:{hashlib.sha256(packed).hexdigest()}"
    own = speech_commands_archive._archive("speech_commands_v0.02", served.partition(":")[2])
    monkeypatch.setattr("spikeseq.data.speech_commands_tasks.ARCHIVE", own)
    found = load("words12", keep_audio=True)
    assert torch.equal(found.train.x, original.train.x)
    assert torch.equal(found.test.y, original.test.y)
    rows = np.arange(12)
    assert np.array_equal(found.sound.clips(rows), original.sound.clips(rows))


def test_kept_samples_are_those_of_the_features(unpacked) -> None:
    unpacked()
    for task, silent in (("words35", 0), ("words12", 1)):
        data = load(task, keep_audio=True)
        rows = np.array([11, 3, 0])
        features = torch.from_numpy(data.sound.features(data.sound.clips(rows))).float() - 70
        torch.testing.assert_close((features - data.decibels.mean) / data.decibels.std, data.train.x[rows])
        assert [len(piece) for piece in data.sound.noise] == [140_000, 140_800]  # the first 80 % of each
        assert (data.train.y == len(data.classes) - 2).sum() == silent or task == "words35"


def test_the_official_test_set(unpacked, corpus, speech_like, sound_file) -> None:
    unpacked()
    top = "speech_commands/speech_commands_test_set_v0.02"
    names = [*COMMANDS, *COMMANDS, "_silence_", "_unknown_"]
    made = {f"{top}/{word}/{k}.wav": sound_file(speech_like(16_000, k)) for k, word in enumerate(names)}
    made[f"{top}/_silence_/quiet.wav"] = sound_file(np.zeros(16_000, np.int16))  # silence may be silent
    corpus(made)
    data = load("words12", official_test=True)
    assert Counter(data.test.y.tolist()) == Counter([*range(10), *range(10), 10, 10, 11])
    assert len(data.train.y) == 12


def test_bad_clips_are_left_out_and_counted_or_the_first_is_an_error(unpacked, speech_like, sound_file) -> None:
    whole = sound_file(speech_like(16_000))
    bad = {
        "truncated": whole[:-1000], "silent": sound_file(np.zeros(16_000, np.int16)), "label": whole,
        "sample_rate": sound_file(speech_like(16_000), rate=8000), "empty": b"", "damaged": b"RIFFxxxx",
        "channels": sound_file(np.stack([speech_like(16_000)] * 2, 1)),
    }  # fmt: skip
    own = SPEAKERS["train"]
    names = {
        f"{'sesame' if reason == 'label' else 'yes'}/{own}_nohash_{k}.wav": reason for k, reason in enumerate(bad, 1)
    }
    unpacked({name: bad[reason] for name, reason in names.items()})
    with pytest.raises(BadUtterance, match=rf"^{re.escape(min(names))}.*on_bad: skip"):
        load()
    for _ in range(2):  # also from the cache
        data = load(on_bad="skip")
        assert data.skipped == dict.fromkeys(bad, 1)
        assert len(data.train.y) == 35


def test_lists_that_do_not_agree_with_the_rule(unpacked) -> None:
    unpacked({"testing_list.txt": f"yes/{SPEAKERS['train']}_nohash_0.wav".encode()})
    with pytest.raises(DataError, match=r"is (train|test) by the lists and (train|test) by its speaker"):
        load()


def test_a_list_that_is_no_text(unpacked) -> None:
    unpacked({"testing_list.txt": b"yes/\xff.wav"})
    with pytest.raises(DataError, match=r"testing_list.txt is no ascii text, or is damaged"):
        load()


def test_a_word_without_clips(corpus, files) -> None:
    corpus({f"{TOP}/{name}": content for name, content in files.items() if not name.startswith("zero/")})
    with pytest.raises(DataError, match=r"train has no clip of \['zero'\]"):
        load()
    assert len(load("words12").train.y) == 12


def test_a_folder_without_clips(corpus) -> None:
    corpus({f"{TOP}/README.md": b""})
    with pytest.raises(DataError, match="holds no clips such as yes/"):
        load()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"task": "words10"}, "task='words10'"),
        (
            {"task": "words12"},
            "task='words12', keep_audio=False: the prepared files have neither; use variant: archive",
        ),
        ({"keep_audio": True}, "use variant: archive"),
        ({"variant": "archive", "official_test": True}, "official_test=True with task='words15'"),
        ({"keep_audio": 1}, "keep_audio=1"),
        ({"variant": "zip"}, "variant='zip'"),
        ({"seed": -1}, "seed=-1"),
        ({"on_bad": "raise"}, "on_bad='raise'"),
    ],
)
def test_bad_options(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        speech_commands.load(**options)  # type: ignore[arg-type]
