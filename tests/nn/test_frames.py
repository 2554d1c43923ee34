"""The frame classifier: a readout at every element, padding that costs and changes nothing."""

import pytest
import torch

from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ShapeError
from spikeseq.nn.classifier import CELLS


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("both", [False, True])
def test_logits_are_the_readout_of_every_output(cell, both):
    torch.manual_seed(0)
    model = snn.FrameClassifier(3, 8, 5, cell, num_layers=2, bidirectional=both).eval()
    x = torch.randn(4, 6, 3)
    output = model.rnn(x)[0]
    logits = model(x)
    assert logits.shape == (4, 6, 5)
    torch.testing.assert_close(logits, output @ model.readout.weight.t() + model.readout.bias)
    logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("first", [False, True])
def test_padding_changes_nothing(cell, first):
    torch.manual_seed(0)
    model = snn.FrameClassifier(3, 8, 5, cell, num_layers=2, bidirectional=True, batch_first=first).eval()
    x, lengths = torch.randn(3, 6, 3), [6, 2, 4]
    given = x.clone()
    for row, n in enumerate(lengths):
        given[row, n:] = 1e6
    found = model(given if first else given.transpose(0, 1), lengths)
    found = found if first else found.transpose(0, 1)
    for row, n in enumerate(lengths):
        alone = x[row : row + 1, :n]
        expected = model(alone) if first else model(alone.transpose(0, 1)).transpose(0, 1)
        torch.testing.assert_close(found[row, :n], expected[0], rtol=1e-4, atol=1e-5)
        assert (found[row, n:] == 0).all()
    with pytest.raises(ShapeError, match="lengths holds 7"):
        model(x if first else x.transpose(0, 1), [7, 1, 1])


def test_gradients_of_padded_frames():
    model = snn.FrameClassifier(3, 8, 5, "gated_current", dropout=0.1)
    x = torch.randn(3, 6, 3, requires_grad=True)
    model(x, [6, 2, 4]).square().sum().backward()
    assert (x.grad[1, 2:] == 0).all()
    assert (x.grad[1, :2] != 0).any()
    assert model.time_steps == 1
    assert snn.FrameClassifier(3, 8, 5, "spiking_gated_current", options={"time_steps": 4}).time_steps == 4


def test_names_that_do_not_exist():
    with pytest.raises(ConfigError, match=r"cell='gated': .*valid: adlif"):
        snn.FrameClassifier(3, 8, 5, "gated")
    with pytest.raises(ConfigError, match=r"cell='gated_current' has no option 'varient'; did you mean 'variant'"):
        snn.FrameClassifier(3, 8, 5, "gated_current", options={"varient": "v1"})


@pytest.mark.parametrize("cell", ["torch_lstm", "torch_gru"])
def test_training_of_torch_layers_without_packing_is_that_with_it(cell):
    torch.manual_seed(0)
    model = snn.FrameClassifier(3, 8, 5, cell, num_layers=2)
    x, lengths = torch.randn(3, 6, 3), [6, 2, 4]
    for row, n in enumerate(lengths):
        x[row, n:] = float("nan")
    found = []
    for training in (True, False):  # evaluation packs
        model.train(training).zero_grad()
        logits = model(x, lengths)
        logits.square().sum().backward()
        found.append([logits.detach(), *(p.grad for p in model.parameters())])
    for fast, packed in zip(*found, strict=True):
        torch.testing.assert_close(fast, packed, rtol=1e-5, atol=1e-6)
