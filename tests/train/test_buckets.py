"""Batches of utterances: every row once, little padding, order and masks by seed and epoch alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.data import Utterances
from spikeseq.train.buckets import eval_utterances, train_utterances


def utterances(rows: int, seed: int = 0) -> Utterances:
    """Row n holds n in each of its frames, and n as its labels."""
    lengths = np.random.default_rng(seed).integers(1, 40, rows)
    x = np.repeat(np.arange(rows, dtype=np.float32), lengths)[:, None].repeat(3, 1)
    labels = tuple(np.full(length, row) for row, length in enumerate(lengths))
    return Utterances(tuple(map(str, range(rows))), x, np.cumsum(lengths) - lengths, lengths, labels)


def rows_of(loader, epoch: int = 0) -> list[int]:
    loader.sampler.set_epoch(epoch)
    rows = []
    for batch in loader:
        for x, length, y, own in zip(batch.x, batch.lengths, batch.y, batch.y_lengths, strict=True):
            row = int(y[0])
            assert (x[:length] == row).all()  # a row keeps its labels
            assert not x[length:].any()
            assert own == length
            rows.append(row)
    return rows


@given(st.integers(1, 130), st.integers(1, 5))
def test_each_utterance_once_an_epoch(rows: int, size: int) -> None:
    loader = train_utterances(utterances(rows), size, seed=0)
    assert sorted(rows_of(loader)) == list(range(rows))
    assert len(list(loader)) == len(loader)
    assert max(len(batch.lengths) for batch in loader) <= size
    again = eval_utterances(utterances(rows), size)
    assert sorted(rows_of(again)) == list(range(rows))
    assert len(list(again)) == len(again) == -(-rows // size)


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def fresh(seed: int, epoch: int) -> list[int]:
        return rows_of(train_utterances(utterances(90), 4, seed), epoch)

    first = fresh(1, 2)
    torch.manual_seed(99)
    loader = train_utterances(utterances(90), 4, 1)
    rows_of(loader, 0)
    assert rows_of(loader, 2) == first
    assert len({tuple(fresh(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_little_is_padding_and_short_ones_do_not_come_first() -> None:
    split = utterances(2000)
    batches = list(train_utterances(split, 16, seed=0))
    padded = sum(batch.x.shape[0] * batch.x.shape[1] for batch in batches)
    assert split.length.sum() / padded > 0.9  # unsorted: 0.53
    half = [int(batch.lengths.max()) for batch in batches]
    assert abs(np.mean(half[: len(half) // 2]) - np.mean(half[len(half) // 2 :])) < 3


def test_masks_are_drawn_by_seed_epoch_and_batch_and_for_training_alone() -> None:
    drawn: list[float] = []

    def mask(x: torch.Tensor, lengths: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        assert len(lengths) == len(x)
        drawn.append(float(torch.rand((), generator=generator)))
        return x

    def epoch(number: int, seed: int = 0) -> list[float]:
        drawn.clear()
        rows_of(train_utterances(utterances(30), 4, seed, mask), number)
        return list(drawn)

    assert len(set(epoch(0))) == 8
    assert epoch(3) == epoch(3)
    assert not set(epoch(3)) & (set(epoch(4)) | set(epoch(3, seed=1)))


def test_a_split_in_a_file_is_left_as_it_is(tmp_path) -> None:
    split = utterances(10)
    split.x.tofile(tmp_path / "x")
    mapped = dataclasses.replace(split, x=np.memmap(tmp_path / "x", np.float32, "c").reshape(-1, 3))
    for batch in train_utterances(mapped, 4, 0, lambda x, lengths, generator: x.zero_()):
        assert not batch.x.any()
    assert np.array_equal(np.fromfile(tmp_path / "x", np.float32), split.x.ravel())
    assert np.array_equal(mapped.x, split.x)
