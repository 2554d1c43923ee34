"""Observing: what was seen is what was transmitted, in order, with gradients, and only inside the block."""

import threading

import pytest
import torch

from spikeseq import nn as snn
from spikeseq.nn.observe import is_observed


@pytest.mark.parametrize("kind", [snn.LSTM, snn.GRU, snn.QuantizedLSTM, snn.SpikingLSTM, snn.StreamLSTM])
def test_every_pass_in_order(kind):
    torch.manual_seed(0)
    layer, x = kind(3, 4, 2, bidirectional=True), torch.randn(5, 2, 3)
    with snn.observing() as seen:
        output, _ = layer(x, lengths=[5, 3])
    assert [e.part for e in seen] == ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert all(e.module is layer for e in seen)
    assert seen[0].mask.squeeze(-1).sum(0).tolist() == [5, 3]
    lead, steps = ((2, 2), 2) if layer.kind.replicated else ((2,), 1)
    for entry in seen:
        assert entry.output.shape == (5, *lead, 4)
        assert (entry.output[3:, ..., 1, :] == 0).all()
    assert seen[0].x.shape == (5, *((1, 2) if steps == 2 else (2,)), 3)  # direct encoding: once for all replicas
    received = x.clone()
    received[3:, 1] = 0  # padding never reaches a cell
    assert torch.equal(seen[0].x.flatten(1, -2), received)
    mean = seen[2].output.sum(1) / 2 if steps == 2 else seen[2].output
    assert torch.equal(mean, output[..., :4])


def test_gradients_stay_attached():
    layer = snn.SpikingLSTM(3, 4)
    with snn.observing() as seen:
        layer(2 * torch.randn(5, 2, 3))
    seen[0].output.abs().mean().backward()
    assert (layer.weight_ih_l0.grad != 0).any()


def test_only_inside_the_block():
    layer, x = snn.LSTM(3, 4), torch.zeros(2, 1, 3)
    layer(x)
    assert not is_observed()
    with snn.observing() as outer:
        layer(x)
        with snn.observing() as inner:
            layer(x)
        layer(x)
        assert is_observed()
        stranger = threading.Thread(target=layer, args=(x,))  # another thread's runs are its own
        stranger.start()
        stranger.join()
    layer(x)
    assert (len(outer), len(inner)) == (2, 1)
    with pytest.raises(ZeroDivisionError), snn.observing():
        raise ZeroDivisionError
    assert not is_observed()
