"""Unrolling: a trained quantised layer becomes the spiking layer that equals it."""

import pytest
import torch
from torch import nn

from spikeseq import nn as snn
from spikeseq.nn.spiking import as_spiking, unroll


def trained(dtype=torch.float64, **options):
    """A layer with dyadic weights and ranges that are not the first ones."""
    torch.manual_seed(0)
    layer = snn.QuantizedLSTM(3, 8, 2, time_steps=4, dtype=dtype, **options)
    with torch.no_grad():
        for name, p in layer.named_parameters():
            p.copy_(2.0 if name.startswith(("threshold", "clip")) else torch.randint(-8, 9, p.shape) / 8)
    return layer


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"batch_first": True, "bias": False}, {"shift": 0.0}])
def test_unrolled_equals_quantised(options):
    layer = trained(**options).eval()
    spiking = unroll(layer)
    x = torch.randint(-8, 9, (5, 5, 3)).double() / 4
    assert torch.equal(spiking(x)[0], layer(x)[0])
    assert layer(x)[0].abs().sum() > 0
    assert not spiking.training
    assert unroll(layer, max_packet=1).kind.max_packet == 1
    with torch.no_grad():
        spiking.weight_hh_l0.add_(1)
    assert not torch.equal(spiking.weight_hh_l0, layer.weight_hh_l0)  # copies


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_keep_every_bit(dtype):
    layer = trained(dtype)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1 / 3)
    assert torch.equal(unroll(layer).weight_ih_l0, layer.weight_ih_l0)


def test_every_quantised_layer_of_a_model_is_unrolled():
    layer = trained()
    model = nn.ModuleDict({"a": layer, "b": nn.ModuleList([trained(), nn.Linear(2, 2)])})
    spiking = as_spiking(model)
    assert [type(m).__name__ for m in spiking.modules()].count("SpikingLSTM") == 2
    assert not any(isinstance(m, snn.QuantizedLSTM) for m in spiking.modules())
    assert isinstance(model["a"], snn.QuantizedLSTM)  # the given model is as it was


def test_a_layer_used_under_two_names_stays_one():
    layer = trained()
    spiking = as_spiking(nn.ModuleDict({"a": layer, "b": layer}))
    assert type(spiking["a"]) is type(spiking["b"]) is snn.SpikingLSTM
    assert spiking["a"] is spiking["b"]


def test_a_bare_layer_is_a_model_too():
    assert isinstance(as_spiking(trained()), snn.SpikingLSTM)
