"""TIMIT: a small corpus in the layout of the LDC, as folder and as archive; the open sample; bad files."""

from __future__ import annotations

import numpy as np
import pytest

from spikeseq.data import timit
from spikeseq.data.speech.audio import BadUtterance
from spikeseq.data.timit_ldc import CORE_TEST, DEVELOPMENT, parse_phones
from spikeseq.data.utterances import NO_LABEL
from spikeseq.errors import ConfigError, DataError

PHONES = "0 800 h#\n800 1200 sh\n1200 1300 q\n1300 2400 ix\n2400 3000 tcl\n3000 4000 h#\n"
SPEAKERS = {"TRAIN/DR1/FCJF0": 0, "TRAIN/DR2/MDWD0": 1, "TEST/DR1/FAKS0": 2, "TEST/DR1/FELC0": 3, "TEST/DR3/MDAC2": 4}


@pytest.fixture
def tree(speech_like, sound_file):
    """A function: change of the files -> those of five speakers, two sentences each and sa1, in the layout of the LDC."""

    def make(**changes: bytes | None) -> dict[str, bytes]:
        files = {}
        for folder, seed in SPEAKERS.items():
            for k, sentence in enumerate(("SA1", "SI648", "SX37")):
                files[f"{folder}/{sentence}.WAV"] = sound_file(speech_like(4000 + 160 * k, seed), "NIST")
                files[f"{folder}/{sentence}.PHN"] = PHONES.encode()
                files[f"{folder}/{sentence}.TXT"] = b"0 4000 She had.\n"
        files |= {f"TRAIN/DR1/FCJF0/{name}": content for name, content in changes.items() if content is not None}
        for name in [name for name, content in changes.items() if content is None]:
            del files[f"TRAIN/DR1/FCJF0/{name}"]
        return files

    return make


def under(top: str, files: dict[str, bytes], lower: bool = False) -> dict[str, bytes]:
    return {top + (name.lower() if lower else name): content for name, content in files.items()}


def same(one, other) -> None:
    for split in ("train", "valid", "test"):
        a, b = getattr(one, split), getattr(other, split)
        assert a.ids == b.ids
        for row in range(len(a)):
            assert np.array_equal(a.features(row), b.features(row))
            assert np.array_equal(a.labels[row], b.labels[row])


def test_lists_of_the_speakers() -> None:
    assert (len(set(CORE_TEST)), len(set(DEVELOPMENT))) == (24, 50)
    assert not set(CORE_TEST) & set(DEVELOPMENT)
    assert [sum(name[0] == sex for name in CORE_TEST) for sex in "mf"] == [16, 8]


def test_small_corpus(corpus, tree) -> None:
    corpus(under("timit/TIMIT/", tree()))
    data = timit.load()
    assert data.train.ids == ("dr1-fcjf0/si648", "dr1-fcjf0/sx37", "dr2-mdwd0/si648", "dr2-mdwd0/sx37")
    assert data.valid.ids == ("dr1-faks0/si648", "dr1-faks0/sx37")
    assert data.test.ids == ("dr1-felc0/si648", "dr1-felc0/sx37")  # mdac2 is neither development nor core test
    assert data.train.length.tolist() == [1 + (4160 - 400) // 160, 1 + (4320 - 400) // 160] * 2
    labels = data.train.labels[0]
    names = [data.classes[k] if k != NO_LABEL else "" for k in labels]
    middles = 200 + 160 * np.arange(len(labels))
    bounds = [(800, "sil"), (1200, "sh"), (1300, ""), (2400, "ix"), (3000, "cl"), (4000, "sil"), (9999, "")]
    assert names == [next(phone for stop, phone in bounds if middle < stop) for middle in middles]
    assert data.skipped == {}
    assert data.source.startswith("TIMIT, LDC93S1")


def test_sequences_and_other_sets_of_phones(corpus, tree) -> None:
    corpus(under("timit/", tree()))
    data = timit.load(targets="sequence", phone_set=39)
    assert data.num_classes == 40
    assert [data.classes[k] for k in data.test.labels[0]] == ["sil", "sh", "ih", "sil", "sil"]
    assert timit.load(phone_set=61).num_classes == 61
    assert (timit.load(phone_set=61).train.labels[0] != NO_LABEL).sum() > (data.train.length[0] - 3)


def test_small_letters_and_the_archive_hold_the_same(corpus, tree, tar_gz, tmp_path, monkeypatch) -> None:
    files = tree()
    corpus(under("timit/TIMIT/", files))
    original = timit.load()
    corpus(under("lower/timit/", files, lower=True))
    monkeypatch.setenv("SPIKESEQ_DATA", str(tmp_path / "data" / "lower"))
    same(timit.load(), original)
    corpus({"packed/timit/timit_LDC93S1.tgz": tar_gz(under("TIMIT/", files))})
    monkeypatch.setenv("SPIKESEQ_DATA", str(tmp_path / "data" / "packed"))
    same(timit.load(), original)


def test_copies_as_wav_do_as_well(corpus, tree, speech_like, sound_file) -> None:
    files = tree()
    corpus(under("timit/", files))
    original = timit.load()
    # some copies hold RIFF files beside the SPHERE files, under a second suffix
    corpus(
        under("timit/", {f"{name}.wav": sound_file(speech_like(500), "WAV") for name in files if name.endswith(".WAV")})
    )
    same(timit.load(), original)
    corpus(under("timit/", tree(**{"SI648.WAV": sound_file(speech_like(4160, 0), "WAV")})))
    same(timit.load(), original)


BAD = {
    "SX37.WAV": ("no_audio", None, "dr1-fcjf0/sx37 has a transcript and no audio"),
    "SX37.PHN": ("no_transcript", None, "dr1-fcjf0/sx37 has audio and no transcript"),
}


@pytest.mark.parametrize("name", BAD)
def test_transcript_without_audio_and_the_other_way(corpus, tree, name: str) -> None:
    reason, content, words = BAD[name]
    corpus(under("timit/", tree(**{name: content})))
    with pytest.raises(BadUtterance, match=f"^{words}.*on_bad: skip"):
        timit.load()
    data = timit.load(on_bad="skip")
    assert data.skipped == {reason: 1}
    assert "dr1-fcjf0/sx37" not in data.train.ids
    assert len(data.train) == 3


@pytest.mark.parametrize(
    ("phones", "reason", "words"),
    [
        ("0 800 h#\n800 4000 xx\n", "label", "the phone 'xx'"),
        ("0 800 h#\n800 ix\n", "alignment", "'800 ix' in its .PHN file"),
        ("0 800 h#\n900 800 ix\n", "alignment", "'900 800 ix'"),
        ("", "no_transcript", ".PHN file is empty"),
    ],
)
def test_bad_transcripts(corpus, tree, phones: str, reason: str, words: str) -> None:
    corpus(under("timit/", tree(**{"SX37.PHN": phones.encode()})))
    with pytest.raises(BadUtterance, match=f"^dr1-fcjf0/sx37.*{words}"):
        timit.load()
    assert timit.load(on_bad="skip").skipped == {reason: 1}


@pytest.mark.parametrize("reason", ["truncated", "silent", "sample_rate", "empty"])
def test_bad_audio(corpus, tree, speech_like, sound_file, reason: str) -> None:
    whole = sound_file(speech_like(4000), "NIST")
    content = {
        "truncated": whole[:-1000], "silent": sound_file(np.zeros(4000, np.int16), "NIST"),
        "sample_rate": sound_file(speech_like(4000), "NIST", 8000), "empty": sound_file(speech_like(300), "NIST"),
    }[reason]  # fmt: skip
    corpus(under("timit/", tree(**{"SX37.WAV": content})))
    with pytest.raises(BadUtterance, match=r"^dr1-fcjf0/sx37"):
        timit.load()
    assert timit.load(on_bad="skip").skipped == {reason: 1}


def test_more_phones_than_frames(corpus, tree) -> None:
    crowded = "".join(f"{100 * k} {100 * k + 100} {phone}\n" for k, phone in enumerate(["s", "ix"] * 15))
    corpus(under("timit/", tree(**{"SX37.PHN": crowded.encode()})))
    assert timit.load(targets="sequence", on_bad="skip").skipped == {"too_short": 1}
    assert timit.load(on_bad="skip").skipped == {}


def test_no_corpus_and_a_folder_that_is_none(corpus) -> None:
    corpus({"other/a.txt": b""})
    with pytest.raises(DataError, match=r"no folder with TRAIN and TEST.*LDC93S1.*variant: sample"):
        timit.load()
    corpus({"timit/train/readme.txt": b"", "timit/test/readme.txt": b""})
    with pytest.raises(DataError, match=r"holds no TIMIT files such as TRAIN/DR1"):
        timit.load()


@pytest.mark.parametrize(
    ("option", "value"),
    [("variant", "auto"), ("targets", "words"), ("phone_set", 60), ("phone_set", "48"), ("on_bad", "ignore")],
)
def test_bad_options(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{option}="):
        timit.load(**{option: value})


def test_phones_are_parsed() -> None:
    assert parse_phones(b"0 10 h#\r\n10 10 q\n", "a") == [(0, 10, "h#"), (10, 10, "q")]


def test_the_open_sample(load_real) -> None:
    pytest.importorskip("kaldi_native_fbank")
    data = load_real("timit", folder="timit_sample", variant="sample")
    assert [len(split) for split in (data.train, data.valid, data.test)] == [120, 16, 16]
    assert {id[:3] for id in data.train.ids} == {f"dr{k}" for k in range(1, 7)}
    assert {id[:3] for id in (*data.valid.ids, *data.test.ids)} == {"dr7", "dr8"}
    assert not any("/sa" in id for id in (*data.valid.ids, *data.test.ids))
    assert (data.input_size, data.num_classes, len(set(data.scored))) == (40, 48, 39)
    assert data.train.length.sum() == 36_609
    labelled = np.concatenate(data.train.labels)
    share = (labelled == data.classes.index("sil")).mean()
    assert 0.1 < share < 0.25
    assert (labelled == NO_LABEL).mean() < 0.03  # "q" and a few samples at the end
