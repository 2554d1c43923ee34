"""The plain recurrent layer is torch.nn.RNN: outputs, state and gradients."""

import pytest
import torch

from spikeseq import nn as snn
from spikeseq.energy import count

I, H, L, B = 3, 5, 7, 4


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both", [False, True])
def test_equals_torch(layers, both):
    torch.manual_seed(0)
    theirs = torch.nn.RNN(I, H, layers, bidirectional=both).double()
    ours = snn.RNN(I, H, layers, bidirectional=both).double()
    ours.load_state_dict(theirs.state_dict())
    x, h = torch.randn(L, B, I).double(), torch.randn(layers * (1 + both), B, H).double()
    (expected, last), (output, state) = theirs(x, h), ours(x, snn.RNNState(h))
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(state.h, last, rtol=0, atol=1e-12)
    for a, b in zip(
        torch.autograd.grad(output.square().sum(), list(ours.parameters())),
        torch.autograd.grad(expected.square().sum(), list(theirs.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


def test_operations():
    (layer,) = count(snn.RNN(I, H), torch.randn(L, B, I)).per_layer
    assert (layer.macs, layer.elementwise) == (L * B * H * (I + H), 0)
