"""What every layer with a memory must keep, one list of checks for all of them."""

import copy
import itertools

import pytest
import torch

from spikeseq import nn as snn
from spikeseq.nn.sequence import over_elements

I, H, L, B = 3, 6, 7, 4


def stack(neuron, **options):
    """Linear layers with neurons behind them, in place of the stack that a recurrent layer is."""

    def build(inputs, hidden, layers, dtype):
        sizes = [inputs, *(hidden for _ in range(layers))]
        pairs = [
            (torch.nn.Linear(i, o, dtype=dtype), neuron(o, dtype=dtype, **options))
            for i, o in itertools.pairwise(sizes)
        ]
        return snn.Sequential(*(module for pair in pairs for module in pair))

    return build


class Summed(torch.nn.Module):
    """An integrator behind a linear layer, seen after every element."""

    def __init__(self, inputs, hidden, layers, dtype):
        super().__init__()
        self.linear = torch.nn.Linear(inputs, hidden, dtype=dtype)
        self.integrator = snn.Integrator(normalise="length")

    def forward(self, x, state=None, lengths=None):
        currents = over_elements(self.linear, x, None if lengths is None else torch.tensor(lengths))
        values, end = self.integrator.running(currents, state, lengths), self.integrator(currents, state, lengths)[1]
        valid = torch.arange(len(x))[:, None] < torch.tensor(lengths or [len(x)])
        return torch.where(valid.unsqueeze(-1), values, 0.0), end


def recurrent(kind, **settings):
    return lambda *sizes, **options: kind(*sizes, **settings, **options)


KINDS = {
    "lstm": recurrent(snn.LSTM),
    "gru": recurrent(snn.GRU),
    "rnn": recurrent(snn.RNN),
    "hard": recurrent(snn.HardLSTM),
    "quantized": recurrent(snn.QuantizedLSTM, time_steps=4),
    "grid 1": recurrent(snn.SpikingLSTM, time_steps=1),
    "grid 4": recurrent(snn.SpikingLSTM, time_steps=4),
    "grid strict": recurrent(snn.SpikingLSTM, time_steps=4, max_packet=1),
    "streams if": recurrent(snn.StreamLSTM, time_steps=2),
    "streams lif": recurrent(snn.StreamLSTM, time_steps=4, leak=0.5),
    "lif": stack(snn.LIF, leak=0.75),
    "lif zero": stack(snn.LIF, leak=0.5, reset="zero"),
    "if": stack(snn.IF),
    "graded": stack(snn.GradedLIF, levels=2, leak=0.5, threshold=1.0),
    "graded gates": stack(snn.GradedLIF, levels=4, gate=True, leak=0.75, threshold=2.0),
    "cuba": stack(snn.CubaLIF, leak=0.75, current_leak=0.5),
    "integrator": Summed,
}
IMPROVED = {"rounding": "nearest", "levels": "unsigned", "range": "learned", "bits": 3, "threshold_levels": 0}
# with batch norm, ranges that training measures or dropout: the contract is that of evaluation
FROZEN = {
    "gated v1": recurrent(snn.GatedCurrent, variant="v1", recurrent_dropout=0.5),
    "gated v2": recurrent(snn.GatedCurrent),
    "gated improved": recurrent(snn.GatedCurrent, **IMPROVED, input_bits=4),
    "gated hard": recurrent(snn.HardGatedCurrent, candidate="signed"),
    "gated levels": recurrent(snn.SpikingGatedCurrent, time_steps=4, batch_norm=False),
    "leaky": recurrent(snn.LeakyCurrent, threshold_levels=0),
    "adlif": recurrent(snn.AdLIF),
    "adlif symplectic": recurrent(snn.AdLIF, form="symplectic"),
}
EXACT = {n for n in KINDS if n not in ("lstm", "gru", "rnn", "hard")} | {"gated levels"}
ONE_WAY = {
    "lif",
    "lif zero",
    "if",
    "graded",
    "graded gates",
    "cuba",
    "integrator",
}  # batch first in the state, no second direction
KINDS |= FROZEN
# fields of a state that no later result depends on smoothly. Without recurrent weight y is a result, not a memory; what is
# left over of a value comes back whole inside the range, so that its slope is 0 after one element
DEAF = {"gated v1": {0, 2}, "leaky": {0, 2}}


def trained(layer):
    """Parameters that learn: the leak of IF streams does not."""
    return [p for p in layer.parameters() if p.requires_grad]


@pytest.fixture(params=KINDS)
def name(request):
    return request.param


def build(name, layers=2, bidirectional=False):
    options = {} if name in ONE_WAY else {"bidirectional": bidirectional}
    return KINDS[name](I, H, layers, dtype=torch.float64, **options)


def make(name, layers=2, bidirectional=False):
    """A layer on dyadic float64 weights large enough that its units are busy."""
    torch.manual_seed(11)
    layer = build(name, layers, bidirectional)
    with torch.no_grad():
        for parameter, value in layer.named_parameters():
            own = parameter.split(".")[-1]
            if own.startswith(("weight", "bias")):
                value.copy_(torch.randint(-8, 9, value.shape) / 8)
            elif own.startswith("threshold") and name not in ONE_WAY:
                value.fill_(2.0)
            elif parameter.startswith("norm_gain") and name.startswith("adlif"):
                value.fill_(16.0)
    return layer.eval() if name in FROZEN else layer


def tensors(state):
    """All tensors of a state, None left out."""
    if state is None:
        return []
    return [state] if isinstance(state, torch.Tensor) else [t for part in state for t in tensors(part)]


def mapped(f, state):
    """The same structure with ``f`` of each tensor."""
    if state is None:
        return None
    if isinstance(state, torch.Tensor):
        return f(state)
    parts = [mapped(f, part) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)


def rows(name, state, index):
    """The state of some rows of the batch."""
    return mapped(lambda s: s[index] if name in ONE_WAY else s[:, index], state)


def sequence(seed=0, batch=B, length=L):
    torch.manual_seed(seed)
    return torch.randint(-8, 9, (length, batch, I)).double() / 8


def same(name, a, b):
    """Equal: bit for bit where sums are exact, to rounding for the float cells."""
    assert a.shape == b.shape
    if name in EXACT:
        assert torch.equal(a, b)
    else:
        torch.testing.assert_close(a, b, rtol=0, atol=1e-13)


@pytest.mark.parametrize("cut", [1, 3, 6])
def test_resuming_equals_one_run(name, cut):
    layer, x = make(name), sequence()
    output, state = layer(x)
    first, middle = layer(x[:cut])
    second, last = layer(x[cut:], middle)
    same(name, torch.cat([first, second]), output)
    for a, b in zip(tensors(last), tensors(state), strict=True):
        same(name, a, b)
    assert output.abs().sum() > 0


def test_resuming_carries_the_gradient(name):
    layer, x = make(name), sequence().requires_grad_()
    expected = torch.autograd.grad(layer(x)[0].square().sum(), [x, *trained(layer)])
    first, middle = layer(x[:3])
    second, _ = layer(x[3:], middle)
    found = torch.autograd.grad(torch.cat([first, second]).square().sum(), [x, *trained(layer)])
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_two_histories_give_two_states(name):
    layer = make(name)
    one, two = (layer(torch.cat([sequence(seed), sequence(9, length=2)]))[1] for seed in (1, 2))
    none = layer(sequence(9, length=2))[1]
    for other in (two, none):
        assert any(not torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))


def test_batch_rows_are_independent(name):
    layer, x = make(name), sequence()
    output, state = layer(x)
    changed = x.clone()
    changed[:, 1] = sequence(5, batch=1)[:, 0]
    other, last = layer(changed)
    rest = [0, 2, 3]
    same(name, other[:, rest], output[:, rest])
    assert not torch.equal(other[:, 1], output[:, 1])
    for a, b in zip(tensors(rows(name, last, rest)), tensors(rows(name, state, rest)), strict=True):
        same(name, a, b)
    for row in range(B):
        same(name, layer(x[:, row : row + 1])[0], output[:, row : row + 1])


@pytest.mark.parametrize("both", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("garbage", [0.0, 1e6, float("nan")])
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "state"])
def test_padding_never_changes_a_result(name, both, garbage, given):
    layer, x, lengths = make(name, bidirectional=both), sequence(), [3, 7, 1, 5]
    start = layer(sequence(8))[1] if given else None
    padded = x.clone()
    for row, length in enumerate(lengths):
        padded[length:, row] = garbage
    output, state = layer(padded, start, lengths=lengths)
    for row, length in enumerate(lengths):
        own = rows(name, start, [row])
        alone, last = layer(x[:length, row : row + 1], own)
        same(name, output[:length, row : row + 1], alone)
        assert (output[length:, row] == 0).all()
        for a, b in zip(tensors(rows(name, state, [row])), tensors(last), strict=True):
            same(name, a, b)


@pytest.mark.parametrize("garbage", [1e6, float("nan")], ids=["large", "nan"])
def test_padding_never_changes_a_gradient(name, garbage):
    layer, x, lengths = make(name, bidirectional=True), sequence(), [3, 7, 1, 5]
    found = []
    for fill in (0.0, garbage):
        padded = x.clone()
        for row, length in enumerate(lengths):
            padded[length:, row] = fill
        padded.requires_grad_()
        output, _ = layer(padded, lengths=lengths)
        found.append(torch.autograd.grad(output.square().sum(), [padded, *trained(layer)]))
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)
    for row, length in enumerate(lengths):
        assert (found[0][0][length:, row] == 0).all()


def test_the_gradient_reaches_the_first_element_and_the_initial_state(name):
    layer = make(name, layers=1)
    x = sequence(batch=32).requires_grad_()
    state = mapped(lambda s: (0.3 * torch.randn_like(s)).requires_grad_(), layer(x)[1])
    output, last = layer(x, state)
    late = output[-1].square().sum() + sum(s.square().sum() for s in tensors(last))
    grads = torch.autograd.grad(late, [x, *tensors(state)])
    assert (grads[0][0] != 0).any()
    for field, grad in enumerate(grads[1:]):
        assert (grad != 0).any() or field in DEAF.get(name, ())
        assert grad.isfinite().all()


def test_state_dict_round_trip(name):
    layer, x = make(name), sequence()
    twin = build(name).train(layer.training)
    assert not all(torch.equal(a, b) for a, b in zip(twin.parameters(), layer.parameters(), strict=True))
    twin.load_state_dict(layer.state_dict())
    held = [n for n, _ in (*layer.named_parameters(), *layer.named_buffers())]
    assert list(twin.state_dict()) == list(layer.state_dict()) == held
    assert torch.equal(twin(x)[0], layer(x)[0])


def test_two_instances_share_nothing(name):
    one, two = make(name), make(name)
    x = sequence()
    before = two(x)[0]
    pointers = [{p.data_ptr() for p in m.parameters()} for m in (one, two)]
    assert len(pointers[0]) == len(list(one.parameters()))
    assert not pointers[0] & pointers[1]
    with torch.no_grad():
        for p in one.parameters():
            p.add_(0.25)
    assert not torch.equal(one(x)[0], before)
    assert torch.equal(two(x)[0], before)


def test_a_copy_is_equal_and_apart(name):
    layer, x = make(name), sequence()
    layer(x)[0].sum().backward()
    twin = copy.deepcopy(layer)
    before = layer(x)[0]
    assert torch.equal(twin(x)[0], before)
    with torch.no_grad():
        for p in twin.parameters():
            p.add_(0.25)
    assert torch.equal(layer(x)[0], before)


def test_nothing_is_remembered_between_calls(name):
    layer, x = make(name), sequence()
    measured = [b.clone() for b in layer.buffers()]
    first = layer(x)[0]
    layer(sequence(4, batch=2, length=3), layer(sequence(6, batch=2))[1])
    assert torch.equal(layer(x)[0], first)
    assert all(torch.equal(a, b) for a, b in zip(layer.buffers(), measured, strict=True))
    assert name in FROZEN or not measured


def test_the_results_are_no_window_into_each_other(name):
    """Writing into the last state changes no output, and neither changes the weights or the input."""
    layer, x = make(name), sequence()
    with torch.no_grad():
        output, state = layer(x)
        kept, given = output.clone(), x.clone()
        for s in tensors(state):
            s.add_(1)
        assert torch.equal(output, kept)
        output.add_(1)
        assert torch.equal(x, given)
        assert torch.equal(layer(x)[0], kept)


def test_a_given_state_is_left_as_it_was(name):
    layer, x = make(name), sequence()
    state = layer(sequence(2))[1]
    kept = [s.clone() for s in tensors(state)]
    layer(x, state)[0].sum().backward()
    assert all(torch.equal(a, b) for a, b in zip(tensors(state), kept, strict=True))


def test_uninitialised_memory_is_never_read(name):
    """``torch.empty`` gives NaN in this module (conftest.py)."""
    assert torch.empty(3).isnan().all()
    layer, x = make(name, bidirectional=True), sequence().requires_grad_()
    output, state = layer(x, lengths=[3, 7, 1, 5])
    grads = torch.autograd.grad(output.sum() + sum(s.sum() for s in tensors(state)), [x, *trained(layer)])
    assert all(v.isfinite().all() for v in (output, *tensors(state), *grads))


@pytest.mark.parametrize("shape", [(1, 1), (1, B), (2, 1)])
def test_the_smallest_sequences(name, shape):
    layer = make(name)
    x = sequence(batch=shape[1], length=shape[0])
    output, state = layer(x)
    assert output.shape == (*shape, H)
    assert tensors(state)[0].shape == ((shape[1], H) if name in ONE_WAY else (2, shape[1], H))
    same(name, layer(sequence(batch=shape[1], length=shape[0]))[0], output)


def test_a_training_step_lowers_the_loss(name):
    layer, x = make(name, layers=1).float().train(), sequence(batch=32, length=4).float()
    target = (x.sum((0, 2)) > 0).float()
    optimiser = torch.optim.Adam(layer.parameters(), 0.02)
    losses = []
    for _ in range(20):
        loss = (layer(x)[0][-1].mean(-1) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
