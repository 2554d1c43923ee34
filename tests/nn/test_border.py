"""What reaches a layer by mistake: a clear error that names the argument, its value and the remedy, never torch's own."""

import pytest
import torch
from torch import nn

from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ShapeError
from spikeseq.nn.cuba import CubaLIF


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
@pytest.mark.parametrize(
    "kind", [snn.LSTM, snn.QuantizedLSTM, snn.SpikingLSTM, snn.StreamLSTM, snn.GatedCurrent, snn.LSTMCell]
)
def test_another_number_format_than_the_weights(kind, dtype):
    x = torch.zeros(2, 3, dtype=dtype) if kind is snn.LSTMCell else torch.zeros(4, 2, 3, dtype=dtype)
    with pytest.raises(ShapeError, match=rf"x is {dtype}, the weights are torch.float32: pass x.to\(torch.float32\)"):
        kind(3, 5)(x)


def test_another_number_format_node_by_node_and_in_a_convolution():
    with pytest.raises(ShapeError, match=r"x is torch\.float64, the weights are torch\.float32"):
        snn.SpikingLSTM(3, 5).run(torch.zeros(4, 2, 3).double())
    with pytest.raises(ShapeError, match=r"x is torch\.float64, the weights are torch\.float32"):
        snn.SpikingConv1d(3, 5, 3)(torch.zeros(4, 2, 3).double())


@pytest.mark.parametrize("state", [5, (1, 2), "h"])
@pytest.mark.parametrize("layer", [snn.LSTM(3, 3), snn.LSTMCell(3, 3), snn.LIF(3), CubaLIF(3), snn.LIFCell(3)])
def test_a_state_that_holds_no_tensors(layer, state):
    x = torch.zeros(2, 3) if type(layer).__name__.endswith("Cell") else torch.zeros(4, 2, 3)
    with pytest.raises(ShapeError, match=r"state=.*pass the state that an earlier call returned, or None for zeros"):
        layer(x, state)


def test_a_state_of_another_number_format():
    with pytest.raises(ShapeError, match=r"state\[1\] is torch.float64, x is torch.float32"):
        snn.LSTM(3, 5)(torch.zeros(4, 2, 3), (torch.zeros(1, 2, 5), torch.zeros(1, 2, 5).double()))
    with pytest.raises(ShapeError, match=r"state.v is torch.float64, x is torch.float32"):
        snn.LIF(3)(torch.zeros(4, 2, 3), torch.zeros(2, 3).double())


def test_a_plain_tuple_is_a_state_and_one_of_another_length_is_not():
    x = torch.rand(4, 2, 3)
    v = torch.rand(2, 3)
    assert torch.equal(snn.LIF(3)(x, (v,))[0], snn.LIF(3)(x, v)[0])
    with pytest.raises(ShapeError, match="state has 1 tensors: pass the 2 of CubaState"):
        CubaLIF(3)(x, (v,))


@pytest.mark.parametrize("cell", ["lstm", "torch_lstm"])
def test_a_classifier_takes_batches(cell):
    """[L, I] would be read as logits of the last feature."""
    with pytest.raises(ShapeError, match=r"x has shape \(5, 3\): pass \[B, L, I\]; x.unsqueeze\(0\) for one sequence"):
        snn.SequenceClassifier(3, 5, 2, cell)(torch.zeros(5, 3))
    for model in (snn.SequenceClassifier(3, 5, 2, cell), snn.FrameClassifier(3, 5, 2, cell)):
        with pytest.raises(ShapeError, match=r"x is torch\.float64, the weights are torch\.float32"):
            model(torch.zeros(1, 5, 3).double())
    with pytest.raises(ShapeError, match="x has 4 features"):
        snn.SequenceClassifier(3, 5, 2, cell)(torch.zeros(1, 5, 4))
    with pytest.raises(ShapeError, match=r"pass \[L, B, I\]; x.unsqueeze\(1\)"):
        snn.FrameClassifier(3, 5, 2, cell, batch_first=False)(torch.zeros(5, 3))


@pytest.mark.parametrize(
    "make",
    [
        lambda: snn.SequenceClassifier(3, 5, -1),
        lambda: snn.SequenceClassifier(3, 5, 0),
        lambda: snn.SpikingConv1d(-3, 5, 3),
        lambda: snn.SpikingConv2d(3, 0, 3),
        lambda: snn.TextClassifier(10, 2, hidden_size=-1),
    ],
)
def test_a_size_below_one(make):
    with pytest.raises(ConfigError, match="pass a whole number, 1 or more"):
        make()


def test_wrong_channels_of_a_convolution():
    with pytest.raises(ShapeError, match=r"x has elements \(4,\).*in_channels=3"):
        snn.SpikingConv1d(3, 5, 3)(torch.zeros(4, 2, 4))
    with pytest.raises(ShapeError, match=r"x has elements \(1, 6, 6\).*in_channels=2"):
        snn.SpikingConv2d(2, 5, 3)(torch.zeros(4, 2, 1, 6, 6))


def test_an_empty_batch_trains_nothing_and_breaks_nothing():
    layer = snn.GatedCurrent(3, 5, batch_norm=False).train()
    assert layer(torch.zeros(4, 0, 3))[0].shape == (4, 0, 5)


def test_tokens_are_whole_numbers():
    with pytest.raises(ShapeError, match=r"dtype torch.bool: pass whole numbers \[B, L\] \(int64\)"):
        snn.TextClassifier(10, 2)(torch.ones(2, 3, dtype=torch.bool))


class Old(torch.autograd.Function):
    """A surrogate as older code writes it."""

    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u > 0).to(u)

    @staticmethod
    def backward(ctx, grad):
        return grad


@pytest.mark.parametrize("surrogate", [Old.apply, lambda u: u.bad, nn.ReLU])
def test_a_surrogate_that_cannot_be_differentiated(surrogate):
    with pytest.raises(ConfigError, match=r"surrogate=.*cannot be differentiated.*straight_through"):
        snn.LIF(3, surrogate=surrogate)


def test_gates_of_one_cell_and_one_layer_train_the_same():
    """IF gates stay IF."""
    for leak, trained in ((1.0, False), (0.75, True)):
        assert snn.StreamLSTMCell(3, 4, leak=leak).get_parameter("leak").requires_grad is trained
        assert snn.StreamLSTM(3, 4, leak=leak).get_parameter("leak_l0").requires_grad is trained
