"""UCI HAR from the original archive: small archives in the original layout, whole and damaged."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeseq.data import load, sources, uci_har, uci_har_archive
from spikeseq.data.uci_har_archive import read_archive
from spikeseq.errors import DataError

COUNTS = {"train": 6, "test": 4}
SUBJECTS = {"train": [1, 1, 7, 15, 22, 29], "test": [2, 4, 24, 24]}
ACTIVITIES = {"train": [1, 2, 3, 4, 5, 6], "test": [6, 5, 1, 2]}
SIGNALS = ("body_acc", "body_gyro", "total_acc")  # the order of the channels, three axes each
RANDOM = np.random.default_rng(0)
X = {split: RANDOM.normal(size=(count, 128, 9)) for split, count in COUNTS.items()}
Y_TEST = "UCI HAR Dataset/test/y_test.txt"
GYRO = "UCI HAR Dataset/train/Inertial Signals/body_gyro_y_train.txt"


def lines(rows: object) -> bytes:
    return "".join(" ".join(f" {value: .7e}" for value in row) + "\n" for row in rows).encode()  # as the original


def members() -> dict[str, bytes]:
    texts = {"UCI HAR Dataset/README.txt": b"hello"}
    for split in COUNTS:
        folder = f"UCI HAR Dataset/{split}"
        for channel in range(9):
            name = f"{SIGNALS[channel // 3]}_{'xyz'[channel % 3]}_{split}.txt"
            texts[f"{folder}/Inertial Signals/{name}"] = lines(X[split][:, :, channel])
        texts[f"{folder}/y_{split}.txt"] = "".join(f"{y}\n" for y in ACTIVITIES[split]).encode()
        texts[f"{folder}/subject_{split}.txt"] = "".join(f"{s}\n" for s in SUBJECTS[split]).encode()
    return texts


def zipped(texts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return buffer.getvalue()


WHOLE = zipped(members())


@pytest.mark.parametrize(
    "content", [WHOLE, zipped({"UCI HAR Dataset.names": b"", "UCI HAR Dataset.zip": WHOLE})], ids=["plain", "in a zip"]
)
def test_whole_archive(content: bytes) -> None:
    for windows, split in zip(read_archive(content, "a.zip", COUNTS), ("train", "test"), strict=True):
        np.testing.assert_allclose(windows.x, X[split], rtol=1e-6)
        assert windows.x.dtype == np.float32
        assert windows.y.tolist() == [activity - 1 for activity in ACTIVITIES[split]]
        assert windows.subject.tolist() == SUBJECTS[split]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a zip file"),
        (WHOLE[:-100], "not a zip file"),
        (zipped({"UCI HAR Dataset.zip": b"junk"}), "not a zip file"),
        (zipped({k: v for k, v in members().items() if k != GYRO}), "body_gyro_y_train.txt"),
        (zipped(members() | {Y_TEST: b""}), "y_test.txt is empty"),
        (zipped(members() | {Y_TEST: b"6\n5\n1\n"}), "y_test.txt holds 3 x 1 numbers; expected 4 x 1"),
        (zipped(members() | {Y_TEST: b"6\n5\n1\n7\n"}), "activities run from 1 to 7"),
        (zipped(members() | {Y_TEST: b"6\n5\n1\n1.5\n"}), "not integers"),
        (zipped(members() | {Y_TEST: b"6\n5\n1\nnan\n"}), "not finite"),
        (zipped(members() | {Y_TEST: b"6\n5\n1\none\n"}), "y_test.txt: could not convert"),
        (zipped(members() | {GYRO: members()[GYRO][:-20]}), "body_gyro_y_train.txt: "),
        (zipped(members() | {GYRO: lines(X["train"][:, :127, 4])}), "holds 6 x 127 numbers; expected 6 x 128"),
        (zipped(members() | {"UCI HAR Dataset/test/subject_test.txt": b"2\n4\n1\n1\n"}), r"subjects \[1\]"),
        (zipped(members(), zipfile.ZIP_STORED).replace(b"\n6\n", b"\n7\n"), "Bad CRC-32"),
        (zipped(members(), zipfile.ZIP_LZMA), "compressed by method 14"),
    ],
)
def test_damaged_archive_is_named(content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=rf"^a\.zip is not the UCI HAR archive.*{reason}.*Remedy: "):
        read_archive(content, "a.zip", COUNTS)


def test_member_larger_than_the_limit_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uci_har_archive, "MAX_TEXT", 1000)
    with pytest.raises(DataError, match="at most 1000 are read"):
        read_archive(WHOLE, "a.zip", COUNTS)


def test_official_counts_are_required_by_default() -> None:
    with pytest.raises(DataError, match="expected 7352 x 128"):
        read_archive(WHOLE, "a.zip")


@pytest.mark.parametrize("name", ["UCI HAR Dataset.zip", "human+activity+recognition+using+smartphones.zip"])
def test_load_takes_the_archive_when_the_windows_are_not_there(
    empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "uci_har").mkdir()
    (tmp_path / "uci_har" / name).write_bytes(WHOLE)
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(uci_har_archive, "OFFICIAL_COUNTS", COUNTS)
    data = load("uci_har", standardise=False)
    assert (len(data.train.y), data.valid.y.tolist(), len(data.test.y)) == (2, [2, 3, 4, 5], 4)
    assert "original archive" in data.source


def test_load_takes_the_archive_by_download(empty_machine: Path, server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content = WHOLE
    monkeypatch.setattr(uci_har, "SERVED", replace(uci_har.SERVED, url=server.url))
    monkeypatch.setattr(uci_har_archive, "OFFICIAL_COUNTS", COUNTS)
    assert load("uci_har").train.y.tolist() == [0, 1]
    assert load("uci_har").test.y.tolist() == [5, 4, 0, 1]
    assert server.requests == 1
