"""LibriSpeech: a small corpus in the layout of OpenSLR, as folders, archives and downloads; the small subset; bad files."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from spikeseq.data import librispeech
from spikeseq.data.speech.audio import BadUtterance
from spikeseq.errors import ConfigError, DataError

PARTS = ("train-clean-100", "dev-clean", "test-clean")
TEXTS = ("GO HOME", "IT'S LATE")


@pytest.fixture
def tree(speech_like, sound_file):
    """A function: part -> its files by name, two utterances of one speaker."""

    def make(part: str) -> dict[str, bytes]:
        speaker = str(100 + PARTS.index(part))
        folder = f"LibriSpeech/{part}/{speaker}/7"
        files = {
            f"{folder}/{speaker}-7-000{k}.flac": sound_file(speech_like(5000 + 800 * k, k), "FLAC") for k in range(2)
        }
        lines = "".join(f"{speaker}-7-000{k} {text}\n" for k, text in enumerate(TEXTS))
        return files | {f"{folder}/{speaker}-7.trans.txt": lines.encode(), f"LibriSpeech/{part}.txt": b"ignored"}

    return make


@pytest.fixture
def folders(corpus, tree):
    """A function: changes of the files -> the three parts as folders."""

    def put(changes: dict[str, bytes] | None = None, without: tuple[str, ...] = ()) -> None:
        files = {name: content for part in PARTS for name, content in tree(part).items()}
        files = {name: content for name, content in {**files, **(changes or {})}.items() if name not in without}
        corpus({f"librispeech/{name}": content for name, content in files.items()})

    return put


def texts(data, split) -> list[str]:
    return ["".join(data.classes[k] for k in labels) for labels in split.labels]


def test_folders(folders) -> None:
    folders()
    data = librispeech.load()
    assert data.train.ids == ("100-7-0000", "100-7-0001")
    assert data.test.ids == ("102-7-0000", "102-7-0001")
    assert texts(data, data.valid) == list(TEXTS)
    assert (data.num_classes, data.input_size) == (29, 40)
    assert (data.targets, data.unit, data.scored[0]) == ("sequence", "character", None)
    both = np.concatenate([data.train.features(row) for row in range(2)])
    np.testing.assert_allclose(both.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(both.std(0), 1, atol=1e-4)


def test_archives_hold_the_same_and_are_verified(folders, corpus, tree, tar_gz, monkeypatch, tmp_path) -> None:
    folders()
    original = librispeech.load()
    packed = {part: tar_gz(tree(part)) for part in PARTS}
    data = corpus({f"packed/librispeech/{part}.tar.gz": content for part, content in packed.items()})
    monkeypatch.setenv("SPIKESEQ_DATA", str(data / "packed"))
    with pytest.raises(DataError, match=r"train-clean-100.tar.gz is corrupt or truncated: expected md5:2a93770f"):
        librispeech.load()
    for part, content in packed.items():
        monkeypatch.setitem(librispeech.MD5, part, hashlib.md5(content).hexdigest())
    found = librispeech.load()
    for split in ("train", "valid", "test"):
        one, other = getattr(original, split), getattr(found, split)
        assert one.ids == other.ids
        assert all(np.array_equal(one.features(row), other.features(row)) for row in range(2))


def test_archives_are_downloaded(empty_machine, server, tree, tar_gz, monkeypatch) -> None:
    """The server gives one archive for every address: it holds all parts, each loader takes its own."""
    part = "train-clean-100"
    server.content = tar_gz(tree(part))
    monkeypatch.setattr(librispeech, "PAGE", server.url + "/")
    monkeypatch.setitem(librispeech.MD5, part, hashlib.md5(server.content).hexdigest())
    with pytest.raises(DataError, match=r"dev-clean.tar.gz not found.*failed.*Remedy"):
        librispeech.load()
    assert (empty_machine / "librispeech" / f"{part}.tar.gz").read_bytes() == server.content
    assert not (empty_machine / "librispeech" / "dev-clean.tar.gz").exists()


TRANS = "LibriSpeech/train-clean-100/100/7/100-7.trans.txt"
FLAC = "LibriSpeech/train-clean-100/100/7/100-7-0001.flac"


@pytest.mark.parametrize(
    ("changes", "without", "reason", "words"),
    [
        ({}, (FLAC,), "no_audio", "100-7-0001 has a transcript and no audio"),
        ({TRANS: b"100-7-0000 GO\n"}, (), "no_transcript", "100-7-0001 has audio and no transcript"),
        ({TRANS: b"100-7-0000 GO\n100-7-0001 \n"}, (), "no_transcript", "100-7-0001 has an empty transcript"),
        ({TRANS: b"100-7-0000 GO\n100-7-0001 ROOM 7\n"}, (), "label", r"100-7-0001 has \['7'\] in its transcript"),
        (
            {TRANS: b"100-7-0000 GO\n100-7-0001 " + b"AB" * 40},
            (),
            "too_short",
            "100-7-0001 has 34 frames; its 80 labels",
        ),
        ({FLAC: b""}, (), "empty", "100-7-0001 is empty"),
        ({FLAC: b"fLaC" + bytes(100)}, (), "damaged", "100-7-0001 is damaged"),
    ],
)
def test_bad_utterances(folders, changes, without, reason: str, words: str) -> None:
    folders(changes, without)
    with pytest.raises(BadUtterance, match=f"^{words}"):
        librispeech.load()
    data = librispeech.load(on_bad="skip")
    assert data.skipped == {reason: 1}
    assert data.train.ids == ("100-7-0000",)


def test_a_part_without_transcripts(folders) -> None:
    folders({}, (TRANS,))
    with pytest.raises(DataError, match="no transcripts of train-clean-100"):
        librispeech.load(on_bad="skip")


def test_transcripts_that_are_no_text(folders) -> None:
    folders({TRANS: b"100-7-0000 GO\xff\n"})
    with pytest.raises(DataError, match=r"train-clean-100: 100-7.trans.txt is no utf-8 text, or is damaged"):
        librispeech.load(on_bad="skip")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variant": "tiny"}, "variant='tiny'"),
        ({"train": "train-clean"}, "train='train-clean' is not valid; did you mean 'train-clean-"),
        ({"valid": "test-clean"}, "test='test-clean': pass three different parts"),
        ({"on_bad": "ignore"}, "on_bad='ignore'"),
    ],
)
def test_bad_options(options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        librispeech.load(**options)


def test_the_small_subset(load_real) -> None:
    pytest.importorskip("kaldi_native_fbank")
    data = load_real("librispeech", folder="librispeech_small", variant="small")
    assert [len(split) for split in (data.train, data.valid, data.test)] == [252, 36, 72]
    speakers = [{id.partition("-")[0] for id in split.ids} for split in (data.train, data.valid, data.test)]
    assert [len(s) for s in speakers] == [28, 4, 8]
    assert not speakers[0] & speakers[1] | speakers[0] & speakers[2] | speakers[1] & speakers[2]
    assert "CRIES OF A NOTTINGHAM A NOTTINGHAM" in texts(data, data.test)
    assert data.skipped == {}
