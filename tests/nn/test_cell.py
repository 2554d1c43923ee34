"""Single-element cells: equal to nn.LSTMCell and nn.GRUCell, and to one element of their layer."""

import copy

import pytest
import torch

from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ShapeError

I, H, B = 3, 5, 4
CELLS = {
    "lstm": (snn.LSTMCell, snn.LSTM, {}),
    "gru": (snn.GRUCell, snn.GRU, {}),
    "hard": (snn.HardLSTMCell, snn.HardLSTM, {}),
    "quantized": (snn.QuantizedLSTMCell, snn.QuantizedLSTM, {"time_steps": 4}),
    "grid": (snn.SpikingLSTMCell, snn.SpikingLSTM, {"time_steps": 4, "max_packet": 1}),
    "streams": (snn.StreamLSTMCell, snn.StreamLSTM, {"time_steps": 2, "leak": 0.75}),
}
names = pytest.mark.parametrize("name", CELLS)


def make(name):
    """A cell and the layer with the same weights, large enough to spike."""
    torch.manual_seed(0)
    kind, layer_kind, options = CELLS[name]
    cell, layer = kind(I, H, **options), layer_kind(I, H, **options)
    with torch.no_grad():
        for parameter, p in cell.named_parameters():
            if parameter.startswith(("weight", "bias")):
                p.mul_(3)
    layer.load_state_dict({f"{n}_l0": v for n, v in cell.state_dict().items()})
    return cell, layer


@pytest.mark.parametrize(("theirs", "ours"), [(torch.nn.LSTMCell, snn.LSTMCell), (torch.nn.GRUCell, snn.GRUCell)])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_equals_torch(theirs, ours, given, single, bias):
    torch.manual_seed(0)
    reference, cell = theirs(I, H, bias=bias), ours(I, H, bias=bias)
    cell.load_state_dict(reference.state_dict())
    shape = () if single else (B,)
    x, h, c = torch.randn(*shape, I), torch.rand(*shape, H), torch.rand(*shape, H)
    state = None if not given else (h if theirs is torch.nn.GRUCell else (h, c))
    expected = reference(x, state)
    expected = (expected,) if isinstance(expected, torch.Tensor) else expected
    output, last = cell(x, state)
    found = (*last, *torch.autograd.grad(output.square().sum(), list(cell.parameters())))
    wanted = (*expected, *torch.autograd.grad(expected[0].square().sum(), list(reference.parameters())))
    assert torch.equal(output, last.h)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


@names
def test_element_by_element_equals_the_layer(name):
    cell, layer = make(name)
    x = 2 * torch.randn(6, B, I)
    state, outputs = None, []
    for element in x:
        output, state = cell(element, state)
        outputs.append(output)
    expected, last = layer(x)
    torch.testing.assert_close(torch.stack(outputs), expected, rtol=0, atol=1e-6)
    assert type(state) is type(last)
    for a, b in zip(state, last, strict=True):
        torch.testing.assert_close(a, b[0], rtol=0, atol=1e-6)
    loss, layer_loss = torch.stack(outputs).square().sum(), expected.square().sum()
    grads = torch.autograd.grad(loss, list(cell.parameters()))
    for a, b in zip(grads, torch.autograd.grad(layer_loss, list(layer.parameters())), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@names
def test_one_row_without_a_batch(name):
    cell, _ = make(name)
    x = torch.randn(2, I)
    one, state = cell(x[0])
    assert one.shape == (H,)
    one, state = cell(x[1], state)
    _, first = cell(x[:1])
    output, last = cell(x[1:], first)
    torch.testing.assert_close(one, output[0])
    for a, b in zip(state, last, strict=True):
        torch.testing.assert_close(a, b[0])


@names
def test_gradients_reach_the_state(name):
    cell, _ = make(name)
    x = torch.randn(64, I)
    state = [s.detach().requires_grad_() for s in cell(x)[1]]
    output, last = cell(x, state)
    loss = output.square().sum() + sum(s.square().sum() for s in last)
    for grad in torch.autograd.grad(loss, state):
        assert (grad != 0).any()


@names
def test_copies_and_round_trip(name):
    cell, _ = make(name)
    twin = CELLS[name][0](I, H, **CELLS[name][2])
    twin.load_state_dict(cell.state_dict())
    x = torch.randn(B, I)
    assert torch.equal(twin(x)[0], cell(x)[0])
    copied = copy.deepcopy(cell)
    with torch.no_grad():
        for p in copied.parameters():
            p.add_(1)
    assert torch.equal(twin(x)[0], cell(x)[0])


@pytest.mark.parametrize("name", ["hard", "quantized", "grid", "streams"])
def test_takes_the_state_dict_of_an_lstm_cell(name):
    """As the layers take that of nn.LSTM: the weights' names are shared, ranges keep their values."""
    reference, (cell, _) = torch.nn.LSTMCell(I, H), make(name)
    cell.load_state_dict(reference.state_dict())
    assert torch.equal(cell.weight_hh, reference.weight_hh)
    assert (cell.threshold == 4).all()


@names
def test_bad_input(name):
    cell, _ = make(name)
    with pytest.raises(ShapeError, match=r"x has 4 features .* input_size=3"):
        cell(torch.zeros(B, 4))
    with pytest.raises(ShapeError, match=r"x is torch.int64: pass a float tensor"):
        cell(torch.zeros(B, I).long())
    with pytest.raises(ShapeError, match="x has shape"):
        cell(torch.zeros(1, 2, B, I))
    with pytest.raises(ShapeError, match=r"state\[0\] has shape"):
        cell(torch.zeros(B, I), tuple(torch.zeros(B, H + 1) for _ in cell.kind.state_type._fields))
    with pytest.raises(ConfigError, match="hidden_size=0: pass a whole number, 1 or more"):
        CELLS[name][0](I, 0)
    assert f"{I}, {H}, bias=True" in repr(cell)
