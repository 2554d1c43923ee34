"""CTC decoding against all paths: the most probable labelling, and its probability."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spikeseq.train.decode import beam, collapse, greedy


def random_log_probs(frames: int, classes: int, seed: int, sharpness: float = 1.0) -> np.ndarray:
    logits = np.random.default_rng(seed).standard_normal((frames, classes)) * sharpness
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def all_labellings(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """Probability of every labelling, by going through every path."""
    frames, classes = log_probs.shape
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(classes), repeat=frames):
        labels = tuple(label for label, _ in itertools.groupby(path) if label)
        found[labels] = found.get(labels, 0.0) + float(np.exp(log_probs[range(frames), path].sum()))
    return found


@pytest.mark.parametrize(
    ("path", "labels"),
    [([0, 0], []), ([1, 1, 0, 1], [1, 1]), ([2, 2, 1, 0, 0, 3], [2, 1, 3]), ([0, 1], [1]), ([], []), ([3], [3])],
)
def test_collapse(path: list[int], labels: list[int]) -> None:
    assert collapse(np.array(path, np.int64)) == labels


def test_greedy_takes_the_best_path() -> None:
    log_probs = np.log(np.array([[0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]]))
    assert greedy(log_probs) == [1, 1, 2]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("frames", "classes"), [(6, 3), (5, 4), (7, 2)])
def test_a_wide_beam_finds_the_most_probable_labelling(seed: int, frames: int, classes: int) -> None:
    log_probs = random_log_probs(frames, classes, seed)
    every = all_labellings(log_probs)
    labels, probability = beam(log_probs, 5000)
    best = max(every, key=every.__getitem__)
    assert tuple(labels) == best
    assert np.exp(probability) == pytest.approx(every[best], rel=1e-9)


def test_the_best_path_is_not_the_best_labelling() -> None:
    """Two frames, 0.6 blank and 0.4 label: the path of blanks has 0.36, the label 0.64."""
    log_probs = np.log(np.array([[0.6, 0.4], [0.6, 0.4]]))
    assert greedy(log_probs) == []
    labels, probability = beam(log_probs, 8)
    assert labels == [1]
    assert np.exp(probability) == pytest.approx(0.64)


@pytest.mark.parametrize("seed", range(4))
def test_probability_is_that_of_the_ctc_loss(seed: int) -> None:
    log_probs = random_log_probs(12, 5, seed, sharpness=2.0)
    labels, probability = beam(log_probs, 3000)
    loss = F.ctc_loss(
        torch.from_numpy(log_probs)[:, None], torch.tensor([labels]), torch.tensor([12]), torch.tensor([len(labels)]),
        reduction="sum",
    )  # fmt: skip
    assert probability <= -float(loss) + 1e-9  # paths that left the beam are missing
    assert probability == pytest.approx(-float(loss), abs=0.01)


def test_a_wider_beam_finds_nothing_less_probable() -> None:
    for seed in range(5):
        log_probs = random_log_probs(15, 5, seed)
        found = [beam(log_probs, width)[1] for width in (1, 2, 8, 64, 512)]
        assert found[-1] >= max(found) - 1e-9
        assert len(beam(log_probs, 1)[0]) <= 15


def test_impossible_classes_are_never_taken() -> None:
    log_probs = random_log_probs(6, 4, 0)
    log_probs[:, 2] = -np.inf
    labels, probability = beam(log_probs, 50)
    assert 2 not in labels
    assert np.isfinite(probability)
