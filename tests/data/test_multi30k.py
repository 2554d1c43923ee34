"""Multi30k: the real files, small ones in their format, and what is wrong with a file."""

import gzip

import pytest

from spikeseq.data import load_pairs, multi30k, sources
from spikeseq.data.sources import DataFile
from spikeseq.data.text.tokenizer import BEGIN, END, PAD, UNKNOWN
from spikeseq.errors import ConfigError, DataError

GERMAN = ["Ein Hund rennt.", "Eine Katze schläft, und ein Hund rennt.", "Zwei Hunde."]
ENGLISH = ["A dog runs.", "A cat sleeps and a dog runs.", "Two dogs."]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function: writes small files, any of them replaced by bytes."""
    (tmp_path / "multi30k").mkdir()
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(sources, "cache_folder", lambda: tmp_path / "none")

    def made(**replaced):
        for part, language in multi30k.FILES:
            content = "\n".join(GERMAN if language == "de" else ENGLISH).encode() + b"\n"
            content = replaced.get(f"{part}_{language}", content)
            (tmp_path / "multi30k" / f"{part}.{language}.gz").write_bytes(gzip.compress(content))
        monkeypatch.setattr(
            multi30k, "FILES", {k: DataFile("multi30k", f"{k[0]}.{k[1]}.gz", None) for k in multi30k.FILES}
        )

    return made


def test_pairs_are_framed_padded_and_come_back_as_text(write):
    write()
    data = load_pairs("multi30k", vocabulary=70)
    assert (data.languages, data.lower, data.input_size, data.num_classes) == (("de", "en"), True, 70, 70)
    batch = data.train.batch([0, 1])
    assert batch.target[:, 0].tolist() == [BEGIN, BEGIN]
    for row, (length, tokens) in enumerate(zip(batch.source_lengths.tolist(), batch.source.tolist(), strict=True)):
        assert tokens[length - 1] == END
        assert set(tokens[length:]) <= {PAD}
        assert data.tokenizer.decode(tokens) == GERMAN[row].lower()
    for row, (length, tokens) in enumerate(zip(batch.target_lengths.tolist(), batch.target.tolist(), strict=True)):
        assert tokens[length] == END
        assert data.tokenizer.decode(tokens) == ENGLISH[row].lower()
    assert data.train.length.tolist() == [
        max(len(s), len(t)) + 1 for s, t in zip(data.train.source, data.train.target, strict=True)
    ]
    assert data.test.target_text == tuple(ENGLISH)


def test_options(write):
    write()
    data = load_pairs("multi30k", vocabulary=100, lower=False, direction="en-de")
    assert data.tokenizer.decode(data.train.source[0]) == "A dog runs."
    assert data.train.target_text[0] == GERMAN[0]
    short = load_pairs("multi30k", vocabulary=70, max_length=8)
    assert len(short.train) == 2
    assert dict(short.skipped) == {"longer than 8 tokens": 1}
    assert len(short.test) == 3
    for option, value in (("vocabulary", 4), ("lower", 1), ("max_length", 0), ("direction", "de-fr")):
        with pytest.raises(ConfigError, match=option):
            load_pairs("multi30k", **{option: value})


def test_the_tokenizer_has_seen_the_train_split_alone(write):
    write(test_2016_flickr_de="Ein Zebra.\n漢\nb\n".encode())
    data = load_pairs("multi30k", vocabulary=90)
    assert UNKNOWN in data.test.source[1].tolist()
    assert not any("z" in word and "b" in word for word in data.tokenizer.words[4:])


def test_damaged_files_are_refused(write):
    write(train_de=b"Ein \xff\xfe Hund\n")
    with pytest.raises(DataError, match=r"train\.de\.gz is no UTF-8 text"):
        load_pairs("multi30k")
    write(val_en=b"one line alone\n")
    with pytest.raises(DataError, match="multi30k val: 3 lines of de and 1 of en"):
        load_pairs("multi30k")
    write(train_de=b"\n \n\n")
    with pytest.raises(DataError, match="hold no word"):
        load_pairs("multi30k")


def test_empty_sentences_are_left_out_and_counted(write):
    write(val_en=b"A dog runs.\n \nTwo dogs.\n")
    data = load_pairs("multi30k", vocabulary=70)
    assert data.valid.source_text == (GERMAN[0], GERMAN[2])
    assert dict(data.skipped) == {"an empty sentence": 1}


def test_a_truncated_file_is_refused(tmp_path, monkeypatch, real_folder):
    folder = tmp_path / "multi30k"
    folder.mkdir()
    for file in real_folder("multi30k").iterdir():
        (folder / file.name).write_bytes(file.read_bytes()[: 20_000 if file.name == "val.de.gz" else None])
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match=r"val\.de\.gz is corrupt or truncated"):
        load_pairs("multi30k", vocabulary=300)


def test_the_real_files(monkeypatch, real_folder):
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(real_folder("multi30k").parent))
    pairs = multi30k._sentences("val", ("de", "en"))
    assert len(pairs) == 1014
    assert pairs[0] == (
        "Eine Gruppe von Männern lädt Baumwolle auf einen Lastwagen",
        "A group of men are loading cotton onto a truck",
    )
