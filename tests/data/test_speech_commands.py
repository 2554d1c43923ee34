"""Speech Commands: the real prepared features, their split by speaker, and damaged files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from spikeseq.data import sources, speech_commands_prepared
from spikeseq.data.sources import DataFile
from spikeseq.data.speech_commands import as_split, scale_of
from spikeseq.data.speech_commands_prepared import WORDS15, Clips, read_prepared
from spikeseq.errors import DataError


def test_counts_of_the_fifteen_words(load_real) -> None:
    data = load_real("speech_commands")
    assert (data.seq_len, data.input_size, data.num_classes) == (98, 40, 15)
    assert data.classes == WORDS15 == tuple(sorted(WORDS15))
    counts = [split.y.bincount().tolist() for split in (data.train, data.valid, data.test)]
    assert counts == [
        [1340, 1399, 1075, 507, 505, 504, 1373, 1099, 778, 506, 1057, 801, 1074, 794, 505],
        [197, 168, 147, 50, 50, 51, 189, 139, 108, 51, 166, 98, 138, 116, 52],
        [180, 167, 411, 36, 26, 402, 187, 418, 419, 27, 409, 415, 440, 430, 25],
    ]
    assert [sum(c) for c in counts] == [13_317, 1_720, 3_992]


def test_standardised_by_the_train_split_and_back_to_whole_decibels(load_real) -> None:
    data = load_real("speech_commands")
    torch.testing.assert_close(data.train.x.mean((0, 1)), torch.zeros(40), atol=1e-4, rtol=0)
    torch.testing.assert_close(data.train.x.std((0, 1)), torch.ones(40), atol=1e-3, rtol=0)
    mean, std, floor = data.decibels
    decibels = data.valid.x * std + mean
    assert (decibels - decibels.round()).abs().max() < 1e-4
    assert (decibels.min().round(), floor) == (-70, -70)


def clips(n: int = 6, seed: int = 0) -> Clips:
    x = np.random.default_rng(seed).integers(0, 128, (n, 98, 40), np.uint8)
    return Clips(x, np.arange(n) % 2, np.full(n, b"abcdef01"))


def test_scale_is_that_of_the_features() -> None:
    made = clips()
    made.x[:, :, 3] = 7  # a band that never changes
    scale = scale_of(made.x)
    expected = made.x.reshape(-1, 40).astype(np.float64) - 70
    np.testing.assert_allclose(scale.mean, expected.mean(0), rtol=1e-6)
    expected_std = expected.std(0)
    expected_std[3] = 1
    np.testing.assert_allclose(scale.std, expected_std, rtol=1e-5)
    x = as_split(made.x, made.y, scale).x
    np.testing.assert_allclose(x * scale.std + scale.mean, made.x.astype(np.float64) - 70, atol=1e-4)
    assert (x[:, :, 3] == 0).all()


def write(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: np.ndarray) -> None:
    """Put a small file in the prepared layout where ``train`` is looked for; its checksum is not looked at."""
    content = {
        "X": clips().x, "y": np.array([0, 1, 2, 0, 1, 2], np.uint8), "speaker": clips().speaker,
        "words": np.array([b"bed", b"up", b"_silence_"]),
    }  # fmt: skip
    buffer = io.BytesIO()
    np.savez(buffer, **(content | changes))
    (folder / "speech_commands").mkdir(exist_ok=True)
    (folder / "speech_commands" / "small.npz").write_bytes(buffer.getvalue())
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(folder))
    monkeypatch.setitem(speech_commands_prepared.PREPARED, "train", DataFile("speech_commands", "small.npz", None))


def test_words_are_picked_and_numbered_as_asked(tmp_path, monkeypatch) -> None:
    write(tmp_path, monkeypatch)
    found = read_prepared("train", ("up", "bed"))
    assert found.y.tolist() == [1, 0, 1, 0]
    assert np.array_equal(found.x, clips().x[[0, 1, 3, 4]])


def test_a_word_without_clips_is_named(tmp_path, monkeypatch) -> None:
    write(tmp_path, monkeypatch)
    with pytest.raises(DataError, match=r"small.npz has no clip of down, yes; leave the word out"):
        read_prepared("train", ("bed", "down", "yes"))


def test_features_of_another_size_are_refused(tmp_path, monkeypatch) -> None:
    write(tmp_path, monkeypatch, X=clips().x[:, :97])
    with pytest.raises(DataError, match=r"small.npz: X is uint8 \(4, 97, 40\); expected uint8 \[4, 98, 40\]"):
        read_prepared("train", ("bed", "up"))


def test_a_changed_file_is_refused(real_folder, tmp_path, monkeypatch) -> None:
    content = bytearray((real_folder("speech_commands") / "gsc_logmel_valid.npz").read_bytes())
    content[100_000] ^= 1
    (tmp_path / "speech_commands").mkdir()
    (tmp_path / "speech_commands" / "gsc_logmel_valid.npz").write_bytes(content)
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match=r"gsc_logmel_valid.npz is corrupt .*expected sha256:ec75499f"):
        read_prepared("valid", WORDS15)
