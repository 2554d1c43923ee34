"""Classifiers of picture sequences: padding, chunks, counts, and a task in which only the order tells the classes apart."""

import pytest
import torch

from spikeseq import energy
from spikeseq import nn as snn
from spikeseq.conversion import init_thresholds
from spikeseq.errors import ConfigError, ShapeError
from spikeseq.nn.memory import CELLS
from spikeseq.nn.verdict import verdict_of_pictures

B, L, SHAPE = 3, 5, (2, 8, 8)
LENGTHS = [4, 5, 1]


def make(cell, **options):
    torch.manual_seed(0)
    model = snn.PictureClassifier(SHAPE, 4, cell, (3, 4), 6, **options).double()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "weight" in name:
                p.mul_(2)
    return model.eval()


def pictures():
    torch.manual_seed(1)
    return (torch.rand(B, L, *SHAPE) > 0.7).double()


@pytest.mark.parametrize("cell", CELLS)
def test_padding_layout_and_parts(cell):
    model, x = make(cell), pictures()
    logits = model(x, LENGTHS)
    assert logits.shape == (B, 4)
    torch.testing.assert_close(model(x.flatten(2), LENGTHS), logits, rtol=0, atol=0)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(logits[row : row + 1], model(x[row : row + 1, :length]), rtol=0, atol=1e-12)
    _, state = model.chunk(x[:, :2])
    torch.testing.assert_close(model.chunk(x[:, 2:], state)[0], model(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_every_parameter_learns(cell):
    model = make(cell).train()
    model(pictures(), LENGTHS).square().sum().backward()
    silent = [n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert silent == []


def test_from_events_to_the_sum_nothing_multiplies():
    model = make("lif", options={"dyadic_leak": True}).float()
    frames = pictures().float()
    init_thresholds(model, [frames], 95, 0.3)
    assert [f.module for f in energy.audit(model, frames).findings] == [
        "body.10"
    ]  # the sum over 5 frames, divided by 5
    counts = energy.count(model, frames)
    assert counts.macs_per_element * B * L == pytest.approx(B * 4)  # that division
    assert counts.acs_per_element > 0


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_other_poolings(cell, pooling):
    model, x = make(cell, pooling=pooling), pictures()
    assert model.twin("lif").pooling == pooling
    model(x, LENGTHS).square().sum().backward()
    assert all(p.grad.any() for p in model.body[0].parameters() if p.requires_grad)
    layers = [m for m in model.body if type(m).__name__ == "AvgPool2d"]
    block = torch.rand(1, 1, 2, 2)
    assert [float(m(block)) for m in layers] == [pytest.approx(float(getattr(block, pooling)()))] * 2
    with pytest.raises(ConfigError, match=r"pooling='avg'.*max, mean, sum"):
        make(cell, pooling="avg")


def test_pooling_where_it_is_asked_for():
    model = make("lif", pooled=[2])
    assert [type(m).__name__ for m in model.body][:4] == ["SpikingConv2d", "SpikingConv2d", "MaxPool2d", "Flatten"]
    assert model.body[5].in_features == 4 * 4 * 4
    assert model.twin("lstm").pooled == (2,)
    for wrong in ([0], [3], [1, 1], ["1", 2], [[1]], 1, "1"):
        with pytest.raises(ConfigError, match=r"pooled=.*from 1 to 2, each once"):
            make("lif", pooled=wrong)


def moving(number, seed):
    """A bar that crosses the picture to the right (0) or to the left (1): the same pictures in another order."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.zeros(number, 8, 1, 8, 8)
    y = torch.arange(number) % 2
    for n in range(8):
        x[:, n, 0, :, n] = 1
    x[y == 1] = x[y == 1].flip(1)
    return x * (torch.rand(x.shape, generator=generator) > 0.2), y


def accuracy(model, x, y):
    return float((model.eval()(x).argmax(-1) == y).double().mean())


def test_the_order_of_the_frames_matters():
    """Learned from frames in their order; the same frames shuffled are at chance."""
    torch.manual_seed(0)
    x, y = moving(64, 1)
    model = snn.PictureClassifier((1, 8, 8), 2, "lif", (8,), 32, dropout=0.0)
    init_thresholds(model, [x], scale=0.3)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    test, labels = moving(200, 2)
    assert accuracy(model, test, labels) > 0.95
    shuffled = torch.stack([row[torch.randperm(8)] for row in test])
    assert accuracy(model, shuffled, labels) < 0.7


def test_what_cannot_be():
    with pytest.raises(ConfigError, match=r"element_shape=\(2, 8\): pass channels, height and width"):
        snn.PictureClassifier((2, 8), 4)
    with pytest.raises(ConfigError, match=r"element_shape=\(2, 3, 8\) cannot be halved 2 times"):
        snn.PictureClassifier((2, 3, 8), 4)
    with pytest.raises(ConfigError, match="channels=0"):
        snn.PictureClassifier(SHAPE, 4, channels=(4, 0))
    with pytest.raises(ShapeError, match=r"x has elements \[2, 8, 7\]: pass \[B, L, \*\[2, 8, 8\]\], or flattened"):
        make("lif")(torch.zeros(B, L, 2, 8, 7))


def test_the_running_verdict_and_its_spikes():
    model, x = make("lif"), pictures()
    found = verdict_of_pictures(model, x[0])
    assert list(found.spikes) == ["body.0.neuron", "body.2.neuron", "body.7"]
    for n in range(L):
        torch.testing.assert_close(found.probability[n], model(x[:1, : n + 1])[0].softmax(-1), rtol=0, atol=1e-12)
    counts = {c.name: c.spikes for c in energy.count(model, x[:1]).per_layer}
    assert float(found.spikes["body.7"].sum()) == counts["body.7"]
    assert found.label == int(model(x[:1]).argmax())
