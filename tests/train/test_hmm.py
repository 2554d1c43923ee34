"""Phones from frames: what is counted, Viterbi against all paths, and the error rate of classifiers that know and do not."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from spikeseq.data import SpeechData, Utterances
from spikeseq.data.utterances import NO_LABEL
from spikeseq.train.hmm import SCALES, Counts, count, phone_error_rate, viterbi
from spikeseq.train.speech_tasks import Frames


def utterances(labels: list[list[int]], transcripts: list[list[int]]) -> Utterances:
    """The first feature of a frame is its class, or that of the frame before where it has none."""
    lengths = np.array([len(y) for y in labels])
    heard = np.concatenate(labels).astype(np.float32)
    heard[heard == NO_LABEL] = 0
    arrays = tuple(np.array(y, np.int64) for y in labels)
    ids = tuple(f"u{k}" for k in range(len(labels)))
    x = np.stack([heard, np.ones_like(heard)], 1)
    return Utterances(ids, x, np.cumsum(lengths) - lengths, lengths, arrays, tuple(map(np.array, transcripts)))


TRAIN = utterances([[0, 0, 1, 1, NO_LABEL, 2, 0], [2, 2, 2, 0]], [[0, 1, 2, 0], [2, 0]])


def test_counts_are_those_of_the_train_frames_plus_one() -> None:
    counts = count(TRAIN, 3)
    np.testing.assert_allclose(np.exp(counts.prior), np.array([5, 3, 5]) / 13)
    np.testing.assert_allclose(np.exp(counts.first), np.array([2, 1, 2]) / 5)
    steps = np.array([[2, 2, 1], [1, 2, 2], [3, 1, 3]])  # 1 -> 2 across the frame without a class
    np.testing.assert_allclose(np.exp(counts.step), steps / steps.sum(1, keepdims=True))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_viterbi_finds_the_best_of_all_paths(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    posterior = np.log(random.dirichlet(np.ones(3), 6))
    prior, first = np.log(random.dirichlet(np.ones(3), 2))
    counts = Counts(prior, first, np.log(random.dirichlet(np.ones(3), 3)))

    def score(path: tuple[int, ...]) -> float:
        heard = sum(posterior[n, s] - prior[s] for n, s in enumerate(path))
        return scale * heard + first[path[0]] + sum(counts.step[a, b] for a, b in itertools.pairwise(path))

    best = max(itertools.product(range(3), repeat=6), key=score)
    assert viterbi(posterior, counts, scale) == [state for state, _ in itertools.groupby(best)]


def speech() -> SpeechData:
    same = utterances([[0, 0, 1, 1, 2, 2, 0], [2, 2, 2, 0]], [[0, 1, 2, 0], [2, 0]])
    # what is said in the test differs from its frames: the reference is the transcript
    test = dataclasses.replace(same, transcripts=(np.array([0, 1, 2, 0]), np.array([2, 1, 0])))
    return SpeechData("toy", TRAIN, same, test, "frames", "phone", ("a", "b", "q"), ("a", "b", None), "here", "none")


class Hears(torch.nn.Module):
    """Logits of the class that the frame says, but for a share of them."""

    def __init__(self, sure: float) -> None:
        super().__init__()
        self.sure = sure

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.sure * torch.nn.functional.one_hot(x[..., 0].long(), 3).float()


def test_error_rate_of_what_is_decoded() -> None:
    data = speech()
    found = phone_error_rate(Hears(100.0), data, Frames(data))
    # a b q a, scored a b a; and q a against q b a: one deletion in 3 + 2 phones
    assert found == {"test_per": pytest.approx(1 / 5), "acoustic_scale": SCALES[0]}
    assert phone_error_rate(Hears(0.0), data, Frames(data))["test_per"] > 0.5
