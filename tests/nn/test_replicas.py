"""Public state of a spiking layer and the replicas inside: one is the other."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq import nn as snn
from spikeseq.nn.replicas import join_replicas, split_replicas
from spikeseq.ops.cells.lstm import LSTMState


@given(st.sampled_from([1, 2, 4, 8, 16]), st.integers(0, 10**6), st.booleans())
def test_split_undoes_join(steps, seed, wide):
    torch.manual_seed(seed)
    h = (
        torch.randint(1 - 2 * steps, 2 * steps, (steps, 3, 5)).float()
        if wide
        else torch.randint(-1, 2, (steps, 3, 5)).float()
    )
    state = LSTMState(h, torch.randn(steps, 3, 5))
    mean, streams = join_replicas(state)
    assert mean.shape == (3, 5)
    assert streams.shape == (3, 2 * steps - 1, 5)
    assert torch.equal(mean, h.sum(0) / steps)
    again = split_replicas(mean, streams, steps)
    assert torch.equal(again.h, state.h)
    assert torch.equal(again.c, state.c)


@pytest.mark.parametrize("steps", [1, 2, 4, 8, 16])
def test_a_plain_state_is_sent_as_the_replicas_would(steps):
    h = torch.arange(-steps, steps + 1).float()[None] / steps
    c = torch.randn(1, 2 * steps + 1)
    state = split_replicas(h, c, steps)
    assert torch.equal(state.h.sum(0), steps * h)
    assert all(torch.equal(stream, c) for stream in state.c)
    emitted = state.h.cumsum(0)
    for t in range(1, steps + 1):
        assert torch.equal(emitted[t - 1], torch.sign(h) * torch.floor((t * h).abs() + 0.5))  # R(t h)


@pytest.mark.parametrize("kind", [snn.SpikingLSTM, snn.StreamLSTM])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_layers_take_the_state_of_an_lstm(kind, steps):
    torch.manual_seed(0)
    layer, x = kind(3, 5, 2, time_steps=steps), torch.randn(6, 2, 3)
    with torch.no_grad():
        for name, p in layer.named_parameters():
            if name.startswith("weight"):
                p.mul_(4)
    _, (h, c) = torch.nn.LSTM(3, 5, 2)(x)
    h, c = h.detach().requires_grad_(), c.detach().requires_grad_()
    output, last = layer(x, (h, c))
    assert isinstance(last, snn.SpikingLSTMState)
    assert last.streams.shape == (2, 2, 2 * steps - 1, 5)
    assert not torch.equal(output, layer(x)[0])
    grads = torch.autograd.grad(output.square().sum() + last.streams.square().sum(), [h, c])
    assert all((g != 0).any() for g in grads)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_state_is_what_the_last_element_transmitted(steps):
    torch.manual_seed(1)
    layer = snn.SpikingLSTM(3, 8, time_steps=steps)
    with torch.no_grad(), snn.observing() as seen:
        layer.weight_ih_l0.mul_(6)
        output, state = layer(torch.randn(6, 2, 3))
    spikes = seen[0].output
    assert torch.equal(state.h[0], spikes[-1].sum(0) / steps)
    assert torch.equal(state.h[0], output[-1])
    assert torch.equal(state.streams[0, :, steps:], spikes[-1, :-1].transpose(0, 1))


def test_gradients_pass_through_both_ways():
    torch.manual_seed(2)
    h, c = torch.randint(-1, 2, (4, 2, 3)).double().requires_grad_(), torch.randn(4, 2, 3).double().requires_grad_()
    state = split_replicas(*join_replicas(LSTMState(h, c)), 4)
    weights = [torch.randn(4, 2, 3).double() for _ in range(2)]
    found = torch.autograd.grad((state.h * weights[0]).sum() + (state.c * weights[1]).sum(), [h, c])
    torch.testing.assert_close(found[0], weights[0])
    assert torch.equal(found[1], weights[1])


def test_a_strict_layer_starts_from_unit_spikes_too():
    """``max_packet=1`` promises unit spikes; a plain state must not smuggle a packet into the first element."""
    state = snn.SpikingLSTM(1, 1, time_steps=4, max_packet=1).kind.enter((torch.ones(1, 1), torch.zeros(1, 1)))
    assert state.h.abs().max() <= 1
