"""Tasks on utterances: losses and metrics against their definitions, folding, and padding that changes none of them."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spikeseq.data import SpeechData, Utterances
from spikeseq.data.utterances import NO_LABEL, Batch
from spikeseq.errors import ConfigError
from spikeseq.nn.frames import FrameClassifier
from spikeseq.train.speech_tasks import Ctc, Frames

LENGTHS = np.array([7, 4, 9])


def speech(targets: str = "frames", unit: str = "phone", seed: int = 0) -> SpeechData:
    """Three utterances; phones a, b, c of which b and c are scored as one and q not at all, or characters."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((20, 5)).astype(np.float32)
    start = np.cumsum(LENGTHS) - LENGTHS
    if targets == "frames":
        labels: Any = tuple(random.integers(0, 4, length) for length in LENGTHS)
        labels[0][2], labels[1][:2] = NO_LABEL, NO_LABEL
        classes: Any = ("a", "b", "c", "q")
        scored: Any = ("a", "bc", "bc", None)
    elif unit == "phone":
        labels = (np.array([1, 2, 3, 4]), np.array([2]), np.array([1, 1, 2]))
        classes, scored = ("<blank>", "a", "b", "c", "q"), (None, "a", "bc", "bc", None)
    else:
        labels = (np.array([2, 3, 1, 2]), np.array([4, 4]), np.array([2, 1, 3, 1, 4]))
        classes, scored = ("<blank>", " ", "A", "B", "C"), (None, " ", "A", "B", "C")
    split = Utterances(("u", "v", "w"), x, start, LENGTHS, labels)
    return SpeechData("toy", split, split, split, targets, unit, classes, scored, "here", "none")  # type: ignore[arg-type]


def padded(batch: Batch, more: int, rubbish: float) -> Batch:
    """The same utterances with more padding, and rubbish in it."""
    x = F.pad(batch.x, (0, 0, 0, more))
    for row, length in enumerate(batch.lengths.tolist()):
        x[row, length:] = rubbish
    return Batch(x, batch.lengths, F.pad(batch.y, (0, more), value=NO_LABEL), batch.y_lengths)


def model_for(data: SpeechData, cell: str = "quantized_lstm") -> FrameClassifier:
    torch.manual_seed(0)
    options = {"time_steps": 2} if cell == "quantized_lstm" else {}
    return FrameClassifier(data.input_size, 6, data.num_classes, cell, options=options)


TASKS = [("frames", "phone"), ("sequence", "phone"), ("sequence", "character")]


def task_for(data: SpeechData) -> Any:
    return Frames(data) if data.targets == "frames" else Ctc(data, width=3)


@pytest.mark.parametrize(("targets", "unit"), TASKS)
@pytest.mark.parametrize("cell", ["torch_lstm", "quantized_lstm", "gated_current", "adlif"])
def test_padding_is_in_no_loss_no_gradient_and_no_metric(targets: str, unit: str, cell: str) -> None:
    data = speech(targets, unit)
    task = task_for(data)
    batch = data.train.batch(range(3))
    outcomes = []
    for more, rubbish in ((0, 0.0), (6, 0.0), (6, 1e4)):
        own, model = padded(batch, more, rubbish), model_for(data, cell)  # training moves what some layers measure
        logits = task.logits(model, own)
        loss = task.loss(logits, own, 0.0)
        loss = loss + task.distill(logits, logits.detach().flip(-1), own, 2.0)
        loss.backward()
        meter = task.meter()
        meter.add(logits.detach(), own)
        # what lies behind the end of a row counts nowhere, whatever it is
        spoilt = logits.detach().clone()
        for row, length in enumerate(own.lengths.tolist()):
            spoilt[row, length:] = torch.randn_like(spoilt[row, length:]) * 100
        second = task.meter()
        second.add(spoilt, own)
        assert second.result() == meter.result()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        gradient = torch.cat([gradient, *(b.flatten() for b in model.buffers())])
        outcomes.append((loss.detach(), gradient, meter.result(), task.count(own), task.elements(own)))
    for loss, gradient, result, count, elements in outcomes[1:]:
        torch.testing.assert_close(loss, outcomes[0][0])
        torch.testing.assert_close(gradient, outcomes[0][1])
        assert (result, count, elements) == outcomes[0][2:]


@pytest.mark.parametrize(("targets", "unit"), TASKS)
def test_one_batch_or_several_give_the_same_metrics(targets: str, unit: str) -> None:
    data = speech(targets, unit)
    task, model = task_for(data), model_for(data).eval()
    whole, parts = task.meter(), task.meter()
    whole.add(task.logits(model, data.train.batch(range(3))), data.train.batch(range(3)))
    for rows in ([1], [2, 0]):
        batch = data.train.batch(rows)
        parts.add(task.logits(model, batch), batch)
    assert parts.result() == pytest.approx(whole.result())


def test_loss_of_frames() -> None:
    data = speech()
    batch = data.train.batch(range(3))
    logits = torch.randn(3, 9, 4)
    found = Frames(data).loss(logits, batch, 0.0)
    terms = [
        -float(F.log_softmax(logits[row, n], 0)[label])
        for row, labels in enumerate(data.train.labels) for n, label in enumerate(labels) if label != NO_LABEL
    ]  # fmt: skip
    assert float(found) == pytest.approx(np.mean(terms), rel=1e-5)
    assert Frames(data).count(batch) == len(terms) == 17
    assert Frames(data).elements(batch) == 20
    assert float(Frames(data).loss(logits, batch, 0.5)) != pytest.approx(np.mean(terms), rel=1e-3)


def test_accuracy_of_frames_is_of_what_is_scored() -> None:
    data = speech()
    labels = (np.array([0, 1, 2, 3, NO_LABEL, 0, 0]), np.array([3, 3, 1, 2]), np.array([0] * 9))
    data = dataclasses.replace(data, test=dataclasses.replace(data.test, labels=labels))
    batch = data.test.batch(range(3))
    said = torch.tensor([[0, 2, 1, 0, 0, 1, 3, 0, 0], [0, 3, 3, 2, 0, 0, 0, 0, 0], [0] * 8 + [1]])
    meter = Frames(data).meter()
    meter.add(F.one_hot(said, 4).float(), batch)
    # row 0: a, b as c, c as b right; q and the unlabelled not counted; a as b and a as q wrong. Row 1: q, q; b as q wrong, c
    assert meter.result() == {"accuracy": (3 + 1 + 8) / (5 + 2 + 9)}
    assert meter.score() == meter.result()["accuracy"]


def test_ctc_loss_is_the_probability_of_all_paths() -> None:
    data = speech("sequence")
    batch = data.train.batch([1, 0])
    logits = torch.randn(2, 7, 5, dtype=torch.float64)
    log_probs = F.log_softmax(logits, -1)
    terms = []
    for row, (length, wanted) in enumerate(((4, (2,)), (7, (1, 2, 3, 4)))):
        total = 0.0
        for path in itertools.product(range(5), repeat=length):
            if tuple(k for k, _ in itertools.groupby(path) if k) == wanted:
                total += float(log_probs[row, range(length), path].sum().exp())
        terms.append(-np.log(total) / len(wanted))
    assert float(Ctc(data).loss(logits, batch, 0.0)) == pytest.approx(np.mean(terms), rel=1e-6)


def say(paths: list[list[int]], classes: int) -> torch.Tensor:
    longest = max(map(len, paths))
    return 20 * F.one_hot(torch.tensor([path + [0] * (longest - len(path)) for path in paths]), classes).float()


def test_phone_error_rate_folds_and_leaves_out() -> None:
    data = speech("sequence")
    batch = data.train.batch(range(3))  # a b c q | b | a a b, scored a bc bc | bc | a a bc
    meter = Ctc(data).meter()
    meter.add(say([[1, 3, 0, 2, 2, 4, 4], [3, 3, 0, 0], [1, 1, 1, 0, 2, 2, 1, 1, 1]], 5), batch)
    # a bc bc | bc | a bc a: of 7 phones one substituted twice: a bc a against a a bc
    assert meter.result() == {"per": pytest.approx(2 / 7)}
    assert meter.score() == pytest.approx(1 / (1 + 2 / 7))


def test_word_and_character_error_rates() -> None:
    data = speech("sequence", "character")
    batch = data.train.batch(range(3))  # "AB A" | "CC" | "A B C"
    meter = Ctc(data, width=4).meter()
    meter.add(say([[2, 3, 1, 2, 2, 0, 0], [4, 4, 4, 4], [2, 1, 3, 1, 3, 0, 4, 0, 0]], 5), batch)
    # "AB A" | "C" | "A B BC": words 0 + 1 + 1 of 2 + 1 + 3; characters 0 + 1 + 1 of 4 + 2 + 5
    expected = {"wer": 2 / 6, "cer": 2 / 11}
    assert meter.result() == pytest.approx(expected | {f"{name}_beam": value for name, value in expected.items()})
    assert meter.score() == pytest.approx(1 / (1 + 2 / 11))


def test_the_beam_is_measured_beside_the_best_path() -> None:
    data = speech("sequence")
    batch = data.train.batch([1])
    logits = torch.log(
        torch.tensor([[[0.6, 0, 0.4, 0, 0], [0.6, 0, 0.4, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0]]]) + 1e-9
    )
    meter = Ctc(data, width=4).meter()
    meter.add(logits, batch)
    assert meter.result() == {"per": 1.0, "per_beam": 0.0}


def test_pieces_of_utterances_keep_their_classes() -> None:
    data = speech()
    x = np.arange(20, dtype=np.float32)[:, None].repeat(5, 1)
    labels = tuple(np.arange(start, start + n) for start, n in zip(data.train.start, LENGTHS, strict=True))
    batch = dataclasses.replace(data.train, x=x, labels=labels).batch(range(3))
    cut = Frames(data).cut(batch, 5)
    assert cut.lengths.tolist() == cut.y_lengths.tolist() == [5, 4, 5]
    assert cut.x.shape == (3, 5, 5)
    for row, length in enumerate(cut.lengths.tolist()):
        assert torch.equal(cut.x[row, :length, 0].long(), cut.y[row, :length])
    assert (cut.y[1, 4:] == NO_LABEL).all()


def test_what_ctc_cannot_do() -> None:
    data = speech("sequence")
    batch = data.train.batch([0])
    with pytest.raises(ConfigError, match=r"train\.label_smoothing=0\.1: there is none for task: ctc"):
        Ctc(data).loss(torch.zeros(1, 7, 5), batch, 0.1)
    with pytest.raises(ConfigError, match=r"train\.length_curriculum with task: ctc.*100 frames"):
        Ctc(data).cut(batch, 100)


def test_targets_must_be_those_of_the_task() -> None:
    with pytest.raises(ConfigError, match=r"toy has sequences as targets; set targets: frames, or task: ctc"):
        Frames(speech("sequence"))
    with pytest.raises(ConfigError, match=r"toy has frames as targets; set targets: sequence, or task: frames"):
        Ctc(speech())
