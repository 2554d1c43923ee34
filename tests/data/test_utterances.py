"""Utterances: padding marks itself, crops have none, and what is no data set is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spikeseq.data.utterances import NO_LABEL, SpeechData, Utterances
from spikeseq.errors import DataError

X = np.arange(24, dtype=np.float32).reshape(12, 2) + 1


def utterances(labels: list[list[int]], lengths: tuple[int, ...] = (3, 5, 4)) -> Utterances:
    start = np.cumsum((0, *lengths[:-1]))
    ids = tuple(f"u{k}" for k in range(len(lengths)))
    return Utterances(ids, X.copy(), start, np.array(lengths), tuple(np.array(y, np.int64) for y in labels))


FRAMES = utterances([[0, 1, NO_LABEL], [1, 1, 1, 0, 0], [0, 0, 1, 1]])
SEQUENCE = utterances([[1], [2, 1], [1, 1, 2]])


def speech(split: Utterances, targets: str = "frames", **changes: object) -> SpeechData:
    fields = {
        "name": "toy", "train": split, "valid": split, "test": split, "targets": targets, "unit": "phone",
        "classes": ("a", "b") if targets == "frames" else ("<blank>", "a", "b"),
        "scored": ("a", "b") if targets == "frames" else (None, "a", "b"), "source": "here", "licence": "none",
    }  # fmt: skip
    return SpeechData(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_batch_is_padded_and_says_where() -> None:
    batch = FRAMES.batch(torch.tensor([2, 0]))
    assert batch.lengths.tolist() == batch.y_lengths.tolist() == [4, 3]
    assert torch.equal(batch.x[0], torch.from_numpy(X[8:12]))
    assert torch.equal(batch.x[1, :3], torch.from_numpy(X[:3]))
    assert not batch.x[1, 3].any()
    assert batch.y.tolist() == [[0, 0, 1, 1], [0, 1, NO_LABEL, NO_LABEL]]
    batch.x.fill_(7)
    assert np.array_equal(FRAMES.x, X)


def test_a_batch_of_sequences() -> None:
    batch = SEQUENCE.batch([0, 2])
    assert batch.y.tolist() == [[1, NO_LABEL, NO_LABEL], [1, 1, 2]]
    assert (batch.lengths.tolist(), batch.y_lengths.tolist()) == ([3, 4], [1, 3])


def test_crops_are_the_beginnings_of_those_that_are_long_enough() -> None:
    crop = FRAMES.cropped(5, 4)
    assert torch.equal(crop, torch.from_numpy(np.stack([X[3:7], X[8:12]])))
    assert FRAMES.cropped(1, 4).shape == (1, 4, 2)
    assert FRAMES.cropped(9, 100).shape == (1, 5, 2)


def test_properties() -> None:
    data = speech(SEQUENCE, "sequence")
    assert (data.input_size, data.num_classes) == (2, 3)


def test_what_is_no_data_set_is_refused() -> None:
    empty = utterances([], ())
    with pytest.raises(DataError, match="'toy', valid is empty"):
        speech(FRAMES, valid=empty)
    for labels, targets in ((2, "frames"), (-1, "frames"), (0, "sequence"), (3, "sequence")):
        size = 5 if targets == "frames" else 2
        wrong = dataclasses.replace(
            FRAMES if targets == "frames" else SEQUENCE,
            labels=(np.ones(3 if size == 5 else 1, np.int64), np.full(size, labels), np.ones(4, np.int64)),
        )
        with pytest.raises(DataError, match="'toy', test, u1: labels"):
            speech(FRAMES if targets == "frames" else SEQUENCE, targets, test=wrong)
    with pytest.raises(DataError, match="u0: 2 labels for 3 frames"):
        speech(utterances([[0, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1]]))
    broken = utterances([[0, 1, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1]])
    broken.x[5, 1] = np.nan
    with pytest.raises(DataError, match="u1: features that are not finite"):
        speech(broken)
    with pytest.raises(DataError, match="u1: labels"):
        speech(utterances([[1], [], [1]]), "sequence")
