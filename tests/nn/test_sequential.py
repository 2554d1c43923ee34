"""Layers one behind the other: states, lengths and layouts handed on; modules without memory run on all elements."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ShapeError

L, B, I, H = 7, 3, 4, 6
LENGTHS = [4, 7, 1]


def dyadic(model):
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in model.double().named_parameters():
            if not name.endswith(("threshold", "leak")):
                value.copy_(torch.randint(-8, 9, value.shape) / 8)
    return model


def make():
    return dyadic(snn.Sequential(nn.Linear(I, H), snn.LIF(H, leak=0.5), nn.Linear(H, H), snn.IF(H)))


def pictures():
    layers = [
        snn.SpikingConv2d(2, 3, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, H), snn.LIF(H), snn.Integrator()
    ]  # fmt: skip
    return dyadic(snn.Sequential(*layers))


def sequence(*units):
    torch.manual_seed(0)
    return torch.randint(-8, 9, (L, B, *(units or (I,)))).double() / 8


def test_equals_the_layers_by_hand():
    model, x = make(), sequence()
    output, state = model(x)
    first, one = model[1](model[0](x))
    second, two = model[3](model[2](first))
    assert torch.equal(output, second)
    assert state[0] is state[2] is None
    assert torch.equal(state[1].v, one.v)
    assert torch.equal(state[3].v, two.v)
    assert output.sum() > 0


def test_a_picture_at_a_time():
    model, x = pictures(), sequence(2, 4, 4)
    value, state = model(x)
    spikes, _ = model[0](x)
    currents = torch.stack([model[3](model[2](model[1](frame))) for frame in spikes])
    assert torch.equal(value, model[5](model[4](currents)[0])[0])
    assert value.shape == (B, H)
    assert [s is None for s in state] == [False, True, True, True, False, False]


@pytest.mark.parametrize("cut", [1, 3])
def test_chunks_equal_one_run(cut):
    model, x = pictures(), sequence(2, 4, 4)
    whole, _ = model(x)
    _, state = model(x[:cut])
    assert torch.equal(model(x[cut:], state)[0], whole)


@pytest.mark.parametrize("garbage", [1e6, float("nan")])
@pytest.mark.parametrize("build", [make, pictures])
def test_padding_reaches_no_layer(build, garbage):
    model = build()
    seen = []
    for layer in model:
        if isinstance(layer, nn.Linear):
            layer.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[0]))
    x = sequence() if build is make else sequence(2, 4, 4)
    expected = [model(x[:n, row : row + 1])[0] for row, n in enumerate(LENGTHS)]
    seen.clear()
    for row, length in enumerate(LENGTHS):
        x[length:, row] = garbage
    output, _ = model(x, lengths=LENGTHS)
    assert set(seen) == {sum(LENGTHS)}  # true elements only: no work, and no operation counted, for padding
    for row, length in enumerate(LENGTHS):
        own = output[row : row + 1] if model.collapses else output[:length, row : row + 1]
        assert torch.equal(own, expected[row])
    x = x.requires_grad_()
    grads = torch.autograd.grad(model(x, lengths=LENGTHS)[0].square().sum(), [x, *model.parameters()])
    assert all(g.isfinite().all() for g in grads)


def test_behind_a_readout_there_is_one_row_for_each_sequence():
    model = snn.Sequential(nn.Linear(I, H), snn.Last(), nn.ReLU(), nn.Linear(H, 1)).double()
    x = sequence()
    assert torch.equal(model(x)[0], model[3](torch.relu(model[0](x[-1]))))
    assert torch.equal(
        model(x, lengths=LENGTHS)[0],
        model[3](torch.relu(torch.stack([model[0](x[n - 1, row]) for row, n in enumerate(LENGTHS)]))),
    )


def test_layers_of_the_lstm_family_fit_in():
    torch.manual_seed(0)
    lstm = snn.LSTM(H, 5, 2)
    model, x = snn.Sequential(nn.Linear(I, H), lstm, snn.Last()), sequence().float()
    value, state = model(x, lengths=LENGTHS)
    torch.testing.assert_close(value, lstm(model[0](x), lengths=LENGTHS)[1].h[-1])
    assert state[1].h.shape == (2, B, 5)
    model(x, state, LENGTHS)


def test_layouts():
    model, x = make(), sequence()
    turned = snn.Sequential(*model, batch_first=True)
    output, state = model(x, lengths=LENGTHS)
    other, last = turned(x.transpose(0, 1), lengths=LENGTHS)
    assert torch.equal(other, output.transpose(0, 1))
    assert torch.equal(last[1].v, state[1].v)
    packed, _ = model(pack_padded_sequence(x, LENGTHS, enforce_sorted=False))
    assert torch.equal(pad_packed_sequence(packed)[0], output)
    value = snn.Sequential(*model, snn.Integrator(), batch_first=True)(x.transpose(0, 1), lengths=LENGTHS)[0]
    assert torch.equal(value, snn.Integrator()(output, lengths=LENGTHS)[0])


def test_masks_of_dropout_go_on_with_the_state():
    torch.manual_seed(0)
    model = snn.Sequential(snn.SequenceDropout(0.5), nn.Identity())
    first, state = model(torch.ones(2, B, 50))
    assert torch.equal(model(torch.ones(2, B, 50), state)[0], first)
    assert not torch.equal(model(torch.ones(2, B, 50))[0], first)


def test_what_cannot_be():
    with pytest.raises(ConfigError, match="layer 1 has batch_first=True: give it to the Sequential"):
        snn.Sequential(nn.Linear(I, H), snn.LIF(batch_first=True))
    with pytest.raises(ConfigError, match=r"layer 2 \(LIF\) stands behind a readout"):
        snn.Sequential(snn.Integrator(), nn.Linear(H, H), snn.LIF())
    with pytest.raises(ShapeError, match=r"x has shape \(7, 4\): pass a batch; x.unsqueeze\(1\)"):
        make()(sequence()[:, 0])
    with pytest.raises(ShapeError, match="state has 1 entries: pass the 4"):
        make()(sequence(), (None,))
