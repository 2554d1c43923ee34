"""UCI HAR from the prepared windows: counts, split by subject, units and scaling."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from spikeseq.data import load, sources
from spikeseq.data.uci_har import VALID_SUBJECTS
from spikeseq.data.uci_har_windows import TEST_SUBJECTS, TRAIN_SUBJECTS, Windows, check_windows, read_prepared
from spikeseq.errors import DataError


@pytest.fixture(scope="module")
def raw(load_real):
    return load_real("uci_har", standardise=False)


def test_the_subjects() -> None:
    assert len(TRAIN_SUBJECTS) == 21
    assert not set(TRAIN_SUBJECTS) & set(TEST_SUBJECTS)
    assert set(VALID_SUBJECTS) < set(TRAIN_SUBJECTS)


def test_class_counts_are_those_of_the_readme(raw) -> None:
    assert (raw.seq_len, raw.input_size, raw.num_classes) == (128, 9, 6)
    assert (raw.train.y.bincount() + raw.valid.y.bincount()).tolist() == [1226, 1073, 987, 1293, 1423, 1413]
    assert raw.test.y.bincount().tolist() == [496, 471, 420, 508, 556, 545]
    assert "HAPT" in raw.source


@pytest.mark.parametrize("held_out", [VALID_SUBJECTS, [3]])
def test_valid_is_all_windows_of_the_held_out_subjects(real_folder, load_real, monkeypatch, held_out) -> None:
    data = load_real("uci_har", standardise=False, valid_subjects=held_out)
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(real_folder("uci_har").parent))
    windows = read_prepared("train")
    mask = np.isin(windows.subject, held_out)
    assert np.array_equal(data.valid.x, windows.x[mask])
    assert np.array_equal(data.valid.y, windows.y[mask])
    assert np.array_equal(data.train.x, windows.x[~mask])


def test_units_are_physical(raw) -> None:
    # someone who sits or stands still feels 1 g in all, and next to none of it from the body
    still = raw.test.x[(raw.test.y == 3) | (raw.test.y == 4)]
    assert still[:, :, 6:].norm(dim=2).median().item() == pytest.approx(1, abs=0.05)
    assert still[:, :, :3].norm(dim=2).median() < 0.05


def test_standardised_by_the_train_split_alone(load_real, raw) -> None:
    data = load_real("uci_har")
    mean = raw.train.x.double().mean((0, 1))
    std = raw.train.x.double().std((0, 1), correction=0)
    for split in ("train", "valid", "test"):
        expected = (getattr(raw, split).x - mean) / std
        torch.testing.assert_close(getattr(data, split).x, expected.float(), atol=1e-5, rtol=1e-5)
    assert data.test.x.mean((0, 1)).abs().max() > 0.01


def test_truncated_file_is_named(real_folder, tmp_path, monkeypatch) -> None:
    (tmp_path / "uci_har").mkdir()
    source = real_folder("uci_har")
    shutil.copyfile(source / "har_windows_train.npz", tmp_path / "uci_har" / "har_windows_train.npz")
    (tmp_path / "uci_har" / "har_windows_test.npz").write_bytes((source / "har_windows_test.npz").read_bytes()[:-1])
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match=r"har_windows_test.npz is corrupt or truncated: expected sha256:26ba7ac1.*Rem"):
        load("uci_har")


def windows(**changes: np.ndarray) -> Windows:
    good = Windows(np.zeros((2, 128, 9), np.float32), np.array([0, 5]), np.array([1, 3]))
    return good._replace(**changes)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (windows(x=np.zeros((2, 128, 8), np.float32)), "do not fit"),
        (windows(subject=np.array([1])), "do not fit"),
        (windows(x=np.full((2, 128, 9), np.nan, np.float32)), "not finite"),
        (windows(y=np.array([0, 6])), "activities run from 1 to 7"),
        (windows(y=np.array([-1, 0])), "activities run from 0 to 1"),
        (windows(subject=np.array([1, 2])), r"subjects \[2\] do not belong"),
    ],
)
def test_what_are_no_train_windows_is_refused(bad: Windows, reason: str) -> None:
    check_windows(windows(), "train")
    with pytest.raises(DataError, match=reason):
        check_windows(bad, "train")
