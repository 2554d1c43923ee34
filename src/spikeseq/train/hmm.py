r"""Phones from the classes of frames: a hidden Markov model with one state for each class, decoded by Viterbi's algorithm.

::

    path = argmax prod_n [ P(s_n | x_n) / P(s_n) ]^scale P(s_n | s_{n-1})        then repeats are merged

    P(s | x)     what the frame classifier says;  P(s), P(s | s')  counted in the classes of the train frames, plus one
    scale        weight of the audio against the counts, the best of SCALES on the validation split

Source: Bourlard & Morgan, "Connectionist Speech Recognition", Kluwer 1994, doi:10.1007/978-1-4615-3210-1.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchmetrics.text import WordErrorRate

from spikeseq.data import SpeechData, Utterances
from spikeseq.data.utterances import NO_LABEL
from spikeseq.ops.fuse import CompileMode, compiling
from spikeseq.train.buckets import eval_utterances
from spikeseq.train.tasks import Task

SCALES = (0.2, 0.35, 0.6, 1.0, 1.6, 2.5)


class Counts(NamedTuple):
    """Logarithms of what was counted in the train split."""

    prior: np.ndarray  # [C] log P(s)
    first: np.ndarray  # [C] log P(s_0)
    step: np.ndarray  # [C, C] log P(s_n | s_{n-1}), a row for each s_{n-1}


def count(split: Utterances, classes: int) -> Counts:
    """Count the classes of frames, and which follows which; frames without a class are passed over."""
    prior, first, step = np.ones(classes), np.ones(classes), np.ones((classes, classes))
    for labels in split.labels:
        own = labels[labels != NO_LABEL]
        np.add.at(prior, own, 1)
        np.add.at(first, own[:1], 1)
        np.add.at(step, (own[:-1], own[1:]), 1)
    return Counts(np.log(prior / prior.sum()), np.log(first / first.sum()), np.log(step / step.sum(1, keepdims=True)))


def viterbi(log_posterior: np.ndarray, counts: Counts, scale: float) -> list[int]:
    """Return the states of the best path, repeats merged; log P(s | x) [L, C]."""
    likelihood = scale * (log_posterior - counts.prior)
    score = counts.first + likelihood[0]
    came = np.zeros(likelihood.shape, np.int64)
    for n in range(1, len(likelihood)):
        through = score[:, None] + counts.step
        came[n] = through.argmax(0)
        score = through.max(0) + likelihood[n]
    path = [int(score.argmax())]
    for n in range(len(likelihood) - 1, 0, -1):
        path.append(int(came[n, path[-1]]))
    return [state for state, _ in itertools.groupby(reversed(path))]


def phone_error_rate(model: nn.Module, data: SpeechData, task: Task, compile: CompileMode = "auto") -> dict[str, Any]:
    """``test_per``, and the ``acoustic_scale`` that was best on the validation split."""
    counts = count(data.train, data.num_classes)
    valid = _posteriors(model, data.valid, task, compile)
    errors = {scale: _error(data, data.valid, valid, counts, scale) for scale in SCALES}
    best = min(errors, key=errors.__getitem__)
    tested = _posteriors(model, data.test, task, compile)
    return {"test_per": _error(data, data.test, tested, counts, best), "acoustic_scale": best}


@torch.no_grad()
def _posteriors(model: nn.Module, split: Utterances, task: Task, compile: CompileMode) -> dict[str, np.ndarray]:
    """Log posteriors [L, C] of each utterance."""
    found: dict[str, np.ndarray] = {}
    model.eval()
    loader = eval_utterances(split)
    for pick, batch in zip(loader.sampler, loader, strict=True):
        with compiling(compile):
            log_probs = F.log_softmax(task.logits(model, batch), -1).cpu().numpy()
        for row, length, own in zip(pick.rows.tolist(), batch.lengths.tolist(), log_probs, strict=True):
            found[split.ids[row]] = own[:length]
    return found


def _error(
    data: SpeechData, split: Utterances, posteriors: dict[str, np.ndarray], counts: Counts, scale: float
) -> float:
    assert split.transcripts is not None  # of a data set with a class for each frame
    rate = WordErrorRate()
    for id, transcript in zip(split.ids, split.transcripts, strict=True):
        found = _text(data, viterbi(posteriors[id].astype(np.float64), counts, scale))
        rate.update([found], [_text(data, transcript)])
    return float(rate.compute())


def _text(data: SpeechData, classes: Iterable[int]) -> str:
    return " ".join(name for k in classes if (name := data.scored[k]) is not None)
