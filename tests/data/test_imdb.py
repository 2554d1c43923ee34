"""IMDB: the prepared files and the original archive, in small; true lengths, and what is wrong with a file."""

import dataclasses
import gzip
import hashlib
import io
import json
import lzma
import tarfile

import pytest

from spikeseq.data import imdb, sources
from spikeseq.data.shuffle import permutation
from spikeseq.data.sources import DataFile
from spikeseq.errors import ConfigError, DataError

TRAIN = [(f"film number {n} is {'good' if n % 2 else 'bad'}\u0085yes <br />indeed", n % 2) for n in range(8)]
TEST = [("a good good film of words never seen", 1), ("bad", 0), ("", 0)]


def prepared(folder, monkeypatch, train=None, test=None):
    folder.mkdir(exist_ok=True)
    for part, rows in (("train", TRAIN if train is None else train), ("test", TEST if test is None else test)):
        lines = [
            json.dumps({"id": n, "label": label, "text": text}, ensure_ascii=False)
            for n, (text, label) in enumerate(rows)
        ]
        (folder / f"{part}.jsonl.xz").write_bytes(lzma.compress("\n".join(lines).encode()))
    monkeypatch.setattr(imdb, "PREPARED", {p: DataFile("imdb", f"{p}.jsonl.xz", None) for p in ("train", "test")})


def archive(folder, members, monkeypatch):
    """An archive of two reviews of each class and part, as if it were the one that is served."""
    folder.mkdir(exist_ok=True)
    path = folder / "aclImdb_v1.tar.gz"
    with tarfile.open(path, "w:gz") as made:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    monkeypatch.setattr(imdb, "REVIEWS", 2)
    served = f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}"
    monkeypatch.setattr(imdb, "ORIGINAL", dataclasses.replace(imdb.ORIGINAL, served=served))
    return path


MEMBERS = [
    ("aclImdb/README", b"no review"),
    ("aclImdb/train/unsup/0_0.txt", b"no label"),
    ("aclImdb/train/pos/1_9.txt", b"good one"),
    ("aclImdb/train/neg/0_3.txt", b"bad one"),
    ("aclImdb/train/pos/0_10.txt", "gute Überraschung".encode()),
    ("aclImdb/train/neg/1_2.txt", b"awful one"),
    ("aclImdb/test/neg/0_1.txt", b"bad"),
    ("aclImdb/test/neg/1_4.txt", b"worse"),
    ("aclImdb/test/pos/1_8.txt", b"better"),
    ("aclImdb/test/pos/0_7.txt", b"good"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(sources, "cache_folder", lambda: tmp_path / "none")
    return tmp_path / "imdb"


def words(data, split, row):
    return [data.tokenizer.words[t] for t in split.batch([row]).x[0].tolist()]


def test_prepared(folder, monkeypatch):
    prepared(folder, monkeypatch)
    data = imdb.load(valid_size=3, seed=1)
    order = permutation(8, 1).tolist()
    assert data.train.y.tolist() == [n % 2 for n in order[:5]]
    assert data.valid.y.tolist() == [n % 2 for n in order[5:]]
    assert data.source == imdb.SOURCES["prepared"]
    assert (
        words(data, data.train, 0)
        == f"film number {order[0]} is {'good' if order[0] % 2 else 'bad'} yes indeed".split()
    )
    assert words(data, data.test, 0)[:5] == ["[unk]", "good", "good", "film", "[unk]"]  # learned from train alone
    assert data.test.length.tolist() == [8, 1, 1]
    assert words(data, data.test, 2) == ["[unk]"]  # an empty review
    digit = str(order[5])
    assert digit not in data.tokenizer.words  # a valid review's number


def test_longer_reviews_are_cut(folder, monkeypatch):
    prepared(folder, monkeypatch)
    start, end = (imdb.load(valid_size=1, max_length=2, keep=keep) for keep in ("start", "end"))
    assert start.train.length.tolist() == [2] * 7
    assert (words(start, start.train, 0), words(end, end.train, 0)) == (["film", "number"], ["yes", "indeed"])
    assert start.test.length.tolist() == [2, 1, 1]


def test_the_original_archive(folder, monkeypatch):
    archive(folder, MEMBERS, monkeypatch)
    data = imdb.load(valid_size=1)
    assert data.source == imdb.SOURCES["archive"]
    assert sorted([*data.train.y.tolist(), *data.valid.y.tolist()]) == [0, 0, 1, 1]
    assert data.test.y.tolist() == [0, 0, 1, 1]
    assert imdb._archive()[0] == [("bad one", 0), ("awful one", 0), ("gute Überraschung", 1), ("good one", 1)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "LZMAError|EOFError"),
        (b"no xz", "LZMAError"),
        (lzma.compress(b"\xff\xfe"), "UnicodeDecodeError"),
        (lzma.compress(b'{"text": "a"'), "JSONDecodeError"),
        (lzma.compress(b'{"text": "a"}'), "KeyError: 'label'"),
        (lzma.compress(b"[1]"), "TypeError"),
        (lzma.compress(b'{"text": "a b", "label": 1}')[:-9], "LZMAError|EOFError"),
    ],
)
def test_damaged_files(folder, monkeypatch, content, reason):
    prepared(folder, monkeypatch)
    (folder / "train.jsonl.xz").write_bytes(content)
    with pytest.raises(DataError, match=rf"train.jsonl.xz is damaged: ({reason})"):
        imdb.load(valid_size=1)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (
            [*MEMBERS, ("aclImdb/train/pos/2_8.txt", b"\xff\xfe bad bytes")],
            "aclImdb/train/pos/2_8.txt is no UTF-8 text",
        ),
        (MEMBERS[:-1], "test/pos holds 1 reviews of 2"),
        ([*MEMBERS, ("aclImdb/train/neg/7_1.txt", b"one more")], "train/neg holds 3 reviews of 2"),
        ([*MEMBERS, ("aclImdb/train/pos/2_8.txt", b"a" * 2**20 + b"a")], "takes 1048577 bytes; at most 1048576"),
    ],
)
def test_damaged_archives(folder, monkeypatch, members, reason):
    archive(folder, members, monkeypatch)
    with pytest.raises(DataError, match=reason):
        imdb.load(valid_size=1)


def test_another_archive_than_the_one_that_is_served(folder, monkeypatch):
    path = archive(folder, MEMBERS, monkeypatch)
    whole = path.read_bytes()
    for damaged in (whole[:-9], whole[: len(whole) // 2], whole + b"x", gzip.compress(gzip.decompress(whole), 1)):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"aclImdb_v1.tar.gz is corrupt or truncated: expected md5:"):
            imdb.load(valid_size=1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"vocabulary": 2}, "vocabulary=2 is not valid"),
        ({"tokens": "words"}, "tokens='words' is not valid; did you mean 'word'"),
        ({"max_length": 0}, "max_length=0 is not valid"),
        ({"keep": "middle"}, "keep='middle' is not valid"),
        ({"valid_size": 8}, "valid_size=8 leaves none of the 8 train reviews"),
        ({"variant": "all"}, "variant='all' is not valid"),
    ],
)
def test_bad_options(folder, monkeypatch, options, reason):
    prepared(folder, monkeypatch)
    with pytest.raises(ConfigError, match=reason):
        imdb.load(**options)


def test_nothing_there(empty_machine, monkeypatch):
    def no_network(file):
        raise OSError("no network")

    monkeypatch.setattr(sources, "download", no_network)
    with pytest.raises(DataError, match=r"aclImdb_v1.tar.gz not found.*train.jsonl.xz and test.jsonl.xz"):
        imdb.load()


def test_the_real_files_are_whole(real_folder, monkeypatch):
    """Read, not tokenised: that takes half a minute."""
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(real_folder("imdb").parent))
    for part in imdb._prepared():
        assert len(part) == 25_000
        assert sum(review.label for review in part) == 12_500
        assert min(len(review.text) for review in part) > 20
