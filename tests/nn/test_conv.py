"""Spiking convolutions: equal to a convolution and neurons by hand, element by element, whole or in chunks."""

import pytest
import torch
from torch import nn

from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ShapeError

L, B, C, O = 7, 3, 2, 4
LENGTHS = [4, 7, 1]


def dyadic(layer):
    """Weights on which sums are exact, whatever their order."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in layer.double().named_parameters():
            if name.startswith("conv"):
                value.copy_(torch.randint(-8, 9, value.shape) / 8)
    return layer


def sequence(*units, length=L):
    torch.manual_seed(0)
    return torch.randint(-8, 9, (length, B, *units)).double() / 8


def padded(x):
    x = x.clone()
    for row, length in enumerate(LENGTHS):
        x[length:, row] = float("nan")
    return x


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"groups": 2, "bias": False, "padding": "same"}])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
def test_conv2d_element_by_element(options, lengths):
    layer, x = dyadic(snn.SpikingConv2d(C, O, 3, **options, neuron=snn.LIF(O, leak=0.75))), sequence(C, 6, 5)
    spikes, state = layer(x if lengths is None else padded(x), lengths=lengths)
    cell = snn.LIFCell(O, leak=0.75).double()
    for row in range(B):
        now = None
        for n in range(L if lengths is None else lengths[row]):
            expected, now = cell(layer.conv(x[n, row : row + 1]), now)
            assert torch.equal(spikes[n, row : row + 1], expected)
        assert torch.equal(state.v[row : row + 1], now.v)
        assert (spikes[n + 1 :, row] == 0).all()
    assert 0.01 < spikes.mean() < 0.9


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
def test_conv1d_by_hand(kernel, causal, lengths):
    layer, x = dyadic(snn.SpikingConv1d(C, O, kernel, causal=causal, neuron=snn.IF(O))), sequence(C)
    spikes, state = layer(x if lengths is None else padded(x), lengths=lengths)
    offset = kernel - 1 if causal else kernel // 2
    for row in range(B):
        length = L if lengths is None else lengths[row]
        weight = layer.conv.weight.view(O, C, kernel)
        cell, now = snn.IFCell(O).double(), None
        for n in range(length):
            current = layer.conv.bias.clone()
            for j in range(kernel):
                if 0 <= n + j - offset < length:
                    current = current + weight[:, :, j] @ x[n + j - offset, row]
            expected, now = cell(current.unsqueeze(0), now)
            assert torch.equal(spikes[n, row], expected[0])
        assert torch.equal(state.v[row], now.v[0])
        before = [x[length - k, row] if k <= length else torch.zeros(C).double() for k in range(kernel - 1, 0, -1)]
        assert torch.equal(state.window[row], torch.stack(before) if causal and before else torch.zeros(0, C).double())
    assert 0.01 < spikes.mean() < 0.9


@pytest.mark.parametrize("cut", [1, 2, 6])
def test_causal_chunks_equal_one_run(cut):
    layer, x = dyadic(snn.SpikingConv1d(C, O, 4, causal=True)), sequence(C)
    whole, last = layer(x)
    first, state = layer(x[:cut])
    second, end = layer(x[cut:], state)
    assert torch.equal(torch.cat([first, second]), whole)
    assert all(torch.equal(a, b) for a, b in zip(end, last, strict=True))


def test_causal_sees_nothing_that_has_not_come():
    layer, x = dyadic(snn.SpikingConv1d(C, O, 5, causal=True)), sequence(C)
    changed = x.clone()
    changed[4:] += 1
    assert torch.equal(layer(x)[0][:4], layer(changed)[0][:4])
    assert not torch.equal(layer(x)[0][4:], layer(changed)[0][4:])


def test_rows_of_other_lengths_go_on_where_they_ended():
    layer, x = dyadic(snn.SpikingConv1d(C, O, 4, causal=True)), sequence(C, length=9)
    _, state = layer(padded(x[:L]), lengths=LENGTHS)
    second, end = layer(x[L:], state)
    for row, length in enumerate(LENGTHS):
        alone = torch.cat([x[:length, row : row + 1], x[L:, row : row + 1]])
        whole, last = layer(alone)
        assert torch.equal(second[:, row], whole[length:, 0])
        assert torch.equal(end.v[row], last.v[0])
        assert torch.equal(end.window[row], last.window[0])


@pytest.mark.parametrize(
    "layer", [snn.SpikingConv2d(C, O, 3), snn.SpikingConv1d(C, O, 3), snn.SpikingConv1d(C, O, 2, causal=True)], ids=repr
)
def test_every_parameter_and_the_input_get_a_gradient_and_padding_none(layer):
    layer = dyadic(layer)
    two = isinstance(layer, snn.SpikingConv2d)
    x = padded(sequence(C, 5, 5) if two else sequence(C)).requires_grad_()
    spikes, _ = layer(x, lengths=LENGTHS)
    grads = torch.autograd.grad(spikes.square().sum(), [x, *layer.parameters()])
    assert all(g.isfinite().all() and (g != 0).any() for g in grads)
    for row, length in enumerate(LENGTHS):
        assert (grads[0][length:, row] == 0).all()


@pytest.mark.parametrize("kernel", [1, 3])
def test_weights_are_those_of_conv1d_flattened(kernel):
    """Same first values, and the same currents."""
    torch.manual_seed(7)
    conv = nn.Conv1d(C, O, kernel, padding=kernel // 2)
    torch.manual_seed(7)
    layer = snn.SpikingConv1d(C, O, kernel, neuron=snn.IF(O))
    assert torch.equal(layer.conv.weight.view(O, C, kernel), conv.weight)
    assert torch.equal(layer.conv.bias, conv.bias)
    x = sequence(C).float()
    currents = conv(x.permute(1, 2, 0)).permute(2, 0, 1)
    assert torch.equal(layer(x)[0], layer.neuron(currents)[0])


def test_layouts():
    x = sequence(C)
    layer, turned = (dyadic(snn.SpikingConv1d(C, O, 3, causal=True, batch_first=first)) for first in (False, True))
    (spikes, state), (other, last) = layer(x), turned(x.transpose(0, 1))
    assert torch.equal(other, spikes.transpose(0, 1))
    assert torch.equal(last.window, state.window)
    alone, one = layer(x[:, 0])
    assert torch.equal(alone, spikes[:, 0])
    assert torch.equal(one.window, state.window[0])
    images = sequence(C, 5, 5)
    layer, turned = (dyadic(snn.SpikingConv2d(C, O, 3, batch_first=first)) for first in (False, True))
    assert torch.equal(turned(images.transpose(0, 1))[0], layer(images)[0].transpose(0, 1))


def test_neurons_of_ones_own():
    assert isinstance(snn.SpikingConv2d(C, O, 3).neuron, snn.LIF)
    assert snn.SpikingConv2d(C, O, 3).neuron.channels == O
    shared = snn.IF()
    assert snn.SpikingConv1d(C, O, 3, neuron=shared).neuron is shared


def test_what_cannot_be():
    with pytest.raises(ConfigError, match="neuron has 3 channels, the convolution gives 4"):
        snn.SpikingConv2d(C, O, 3, neuron=snn.LIF(3))
    with pytest.raises(ConfigError, match="neuron has batch_first=True: give it to the convolution"):
        snn.SpikingConv1d(C, O, 3, neuron=snn.LIF(batch_first=True))
    with pytest.raises(ConfigError, match="kernel_size=4: an even kernel has no middle"):
        snn.SpikingConv1d(C, O, 4)
    with pytest.raises(ConfigError, match="kernel_size=0: pass a whole number, 1 or more"):
        snn.SpikingConv1d(C, O, 0, causal=True)
    layer = snn.SpikingConv1d(C, O, 3).double()
    with pytest.raises(ConfigError, match="causal=False: a chunk would need the next one"):
        layer(sequence(C), layer(sequence(C))[1])
    causal = snn.SpikingConv1d(C, O, 3, causal=True).double()
    wrong = snn.SpikingConv1dState(torch.zeros(B, O).double(), torch.zeros(B, 1, C).double())
    with pytest.raises(ShapeError, match=r"state.window has shape \(3, 1, 2\): pass \(3, 2, 2\)"):
        causal(sequence(C), wrong)
