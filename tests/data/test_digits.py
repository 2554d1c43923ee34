"""Digits: numbers, order and the split."""

from __future__ import annotations

import torch

from spikeseq.data import load


def rows_of(split) -> set[bytes]:
    return {x.numpy().tobytes() for x in split.x}


def test_shapes_range_and_classes() -> None:
    data = load("digits")
    assert [len(split.y) for split in (data.train, data.valid, data.test)] == [1078, 269, 450]
    assert (data.seq_len, data.input_size, data.num_classes) == (8, 8, 10)
    assert data.train.x.min() == 0
    assert data.train.x.max() == 1


def test_rows_and_pixels_hold_the_same_numbers() -> None:
    rows, pixels = load("digits"), load("digits", order="pixels")
    assert (pixels.seq_len, pixels.input_size) == (64, 1)
    assert torch.equal(rows.test.x.reshape(-1, 64, 1), pixels.test.x)
    assert torch.equal(rows.test.y, pixels.test.y)


def test_numbers_and_labels_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    expected = {(x.astype("float32") / 16).tobytes(): int(y) for x, y in zip(pixels, labels, strict=True)}
    data = load("digits")
    for split in (data.train, data.valid, data.test):
        assert all(expected[x.numpy().tobytes()] == y for x, y in zip(split.x, split.y.tolist(), strict=True))


def test_split_is_disjoint_complete_and_stratified() -> None:
    data = load("digits")
    parts = [rows_of(split) for split in (data.train, data.valid, data.test)]
    assert len(parts[0] | parts[1] | parts[2]) == sum(map(len, parts)) == 1797
    counts = [split.y.bincount() for split in (data.train, data.valid, data.test)]
    total = counts[0] + counts[1] + counts[2]
    assert total.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    for count, share in zip(counts, (0.60, 0.15, 0.25), strict=True):
        assert (count - share * total).abs().max() <= 1


def test_seed_names_the_split() -> None:
    first, again, other = load("digits", seed=1), load("digits", seed=1), load("digits", seed=2)
    assert torch.equal(first.train.x, again.train.x)
    assert rows_of(first.test) != rows_of(other.test)
