"""Terms of the loss, by hand."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from spikeseq.nn import Seen, SequenceClassifier, observing
from spikeseq.train.losses import distillation, packet_excess, spike_rate
from spikeseq.train.module import ClassifierModule


def softmax(values, temperature):
    powers = [math.exp(v / temperature) for v in values]
    return [p / sum(powers) for p in powers]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_distillation_by_hand(temperature):
    student, teacher = [[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], [[2.0, 0.0, -1.0], [0.5, 0.5, 4.0]]
    expected = 0.0
    for s, t in zip(student, teacher, strict=True):
        p, q = softmax(t, temperature), softmax(s, temperature)
        expected += temperature**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) / 2
    found = distillation(torch.tensor(student), torch.tensor(teacher), temperature)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert float(distillation(torch.tensor(teacher), torch.tensor(teacher), temperature)) == pytest.approx(0, abs=1e-6)


def seen(*outputs):
    return [
        Seen(nn.Identity(), f"l{n}", torch.empty(0), torch.tensor(o), None, torch.empty(0))
        for n, o in enumerate(outputs)
    ]


def test_spike_rate_by_hand():
    """Mean |h| of each layer, then over layers: a wide layer does not outvote a narrow one."""
    assert float(spike_rate(seen([1.0, -1.0, 0.0, 2.0], [0.5, -0.5]))) == pytest.approx((1.0 + 0.5) / 2)


def test_packet_excess_by_hand():
    """Only what goes beyond one spike costs, whatever its sign."""
    assert float(packet_excess(seen([1.0, -1.0, 0.0, 0.5]))) == 0
    assert float(packet_excess(seen([3.0, -2.0, 1.0, 0.0], [-4.0, 0.0]))) == pytest.approx((3 / 4 + 3 / 2) / 2)


def test_penalties_have_gradients():
    h = torch.tensor([0.5, -3.0], requires_grad=True)
    (spike_rate(seen_one := [Seen(nn.Identity(), "l0", h, h, None, h[0])]) + packet_excess(seen_one)).backward()
    assert h.grad.tolist() == [0.5, -1.0]


def test_the_loss_of_a_step_by_hand(tiny):
    torch.manual_seed(0)
    settings = tiny(
        {
            "train.teacher": "t.pt", "train.distillation": 0.25, "train.temperature": 3.0, "train.label_smoothing": 0.1,
            "train.spike_penalty": 0.7, "train.packet_penalty": 0.3,
        }
    ).train  # fmt: skip
    model = SequenceClassifier(8, 8, 10, "spiking_lstm", options={"time_steps": 4})
    with torch.no_grad():
        model.rnn.weight_hh_l0.mul_(30)  # replicas that contradict each other send packets
    teacher = SequenceClassifier(8, 6, 10)
    teacher.readout.weight.data.mul_(10)
    module = ClassifierModule(model, settings, 0, teacher)
    module.on_train_epoch_start()
    x, y = torch.randn(5, 8, 8), torch.tensor([1, 2, 3, 4, 5])
    loss = module.training_step((x, y), 0)
    with torch.no_grad(), observing() as passes:
        logits = model(x)
    rate = sum(p.output.abs().mean() for p in passes)
    excess = sum((p.output.abs() - 1).clamp(min=0).mean() for p in passes)
    assert min(rate, excess) > 0
    expected = (
        0.75 * F.cross_entropy(logits, y, label_smoothing=0.1)
        + 0.25 * distillation(logits, teacher(x), 3.0) + 0.7 * rate + 0.3 * excess
    )  # fmt: skip
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    assert all(p.grad is None for p in teacher.parameters())
    assert not any("teacher" in name for name in module.state_dict())
    assert not teacher.training
