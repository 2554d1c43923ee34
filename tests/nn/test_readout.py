"""Readouts: sums and last elements at the true end of each row, whole or in chunks."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ShapeError

L, B, C = 7, 3, 5
LENGTHS = [4, 7, 1]


def sequence(*units):
    torch.manual_seed(0)
    return torch.randint(-8, 9, (L, B, *(units or (C,)))).double() / 8


@pytest.mark.parametrize("normalise", ["none", "length"])
@pytest.mark.parametrize("units", [(C,), (C, 2, 3)], ids=str)
def test_integrator_by_hand(normalise, units):
    x = sequence(*units)
    poisoned = x.clone()
    for row, length in enumerate(LENGTHS):
        poisoned[length:, row] = float("nan")
    layer = snn.Integrator(normalise)
    value, state = layer(poisoned, lengths=LENGTHS)
    running = layer.running(poisoned, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        total = x[:length, row].sum(0)
        assert torch.equal(value[row], total / length if normalise == "length" else total)
        assert torch.equal(state.v[row], total)
        for n in range(length):
            partial = x[: n + 1, row].sum(0)
            assert torch.equal(running[n, row], partial / (n + 1) if normalise == "length" else partial)
    assert state.elements.tolist() == LENGTHS


@pytest.mark.parametrize("normalise", ["none", "length"])
def test_integrator_in_chunks(normalise):
    layer, x = snn.Integrator(normalise), sequence()
    whole, last = layer(x)
    _, state = layer(x[:3])
    value, end = layer(x[3:], state)
    assert torch.equal(value, whole)
    assert torch.equal(end.v, last.v)
    assert torch.equal(torch.cat([layer.running(x[:3]), layer.running(x[3:], state)]), layer.running(x))


def test_integrator_carries_gradients_to_input_and_state():
    layer, x = snn.Integrator("length"), sequence().requires_grad_()
    value, _ = layer(x, lengths=LENGTHS)
    grad = torch.autograd.grad(value.sum(), x)[0]
    for row, length in enumerate(LENGTHS):
        assert torch.equal(grad[:length, row], torch.full((length, C), 1 / length, dtype=torch.float64))
        assert (grad[length:, row] == 0).all()


@pytest.mark.parametrize("make", [snn.Integrator, snn.Last])
def test_layouts(make):
    x = sequence(C, 2)
    value, _ = make()(x, lengths=LENGTHS)
    assert value.shape == (B, C, 2)
    assert torch.equal(make(batch_first=True)(x.transpose(0, 1), lengths=LENGTHS)[0], value)
    flat = sequence()
    value, _ = make()(flat, lengths=LENGTHS)
    assert torch.equal(make()(flat[:4, 0])[0], value[0])
    assert torch.equal(make()(pack_padded_sequence(flat, LENGTHS, enforce_sorted=False))[0], value)


def test_last_is_each_rows_own():
    x = sequence()
    assert torch.equal(snn.Last()(x)[0], x[-1])
    assert torch.equal(snn.Last()(x, lengths=LENGTHS)[0], torch.stack([x[3, 0], x[6, 1], x[0, 2]]))


def test_what_cannot_be():
    with pytest.raises(ConfigError, match="normalise='lenght': did you mean 'length'"):
        snn.Integrator("lenght")
    state = snn.IntegratorState(torch.zeros(B, 2), torch.zeros(B))
    with pytest.raises(ShapeError, match=r"state.v has shape \(3, 2\): pass \(3, 5\)"):
        snn.Integrator()(sequence(), state)
    with pytest.raises(ShapeError, match=r"state.elements has shape \(1,\): pass \(3,\)"):
        snn.Integrator()(sequence(), snn.IntegratorState(torch.zeros(B, C), torch.zeros(1)))
