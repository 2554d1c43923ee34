"""The conventions of nn.LSTM and nn.GRU: values and gradients, layouts, packing, lengths, state_dict, bad input."""

import copy

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ShapeError

I, H, L, B = 5, 4, 6, 3
PAIRS = [(torch.nn.LSTM, snn.LSTM), (torch.nn.GRU, snn.GRU)]
LAYERS = [snn.LSTM, snn.GRU, snn.HardLSTM, snn.QuantizedLSTM, snn.SpikingLSTM, snn.StreamLSTM]
RANGED = LAYERS[2:]
pairs = pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=["LSTM", "GRU"])


def twins(theirs, ours, *args, **options):
    torch.manual_seed(0)
    reference = theirs(I, H, *args, **options)
    layer = ours(I, H, *args, **options)
    layer.load_state_dict(reference.state_dict())
    return reference, layer


def fields(state):
    return (state,) if isinstance(state, torch.Tensor) else tuple(state)


def loss_of(output, state):
    values = (output, *fields(state))
    return sum((v * torch.linspace(-1, 1, v.numel()).view(v.shape)).sum() for v in values)


def compare(reference, layer, x, state):
    """Output, last state and the gradients of x, the initial state and every weight, to 1e-6."""
    given = [] if state is None else list(fields(state))
    leaves = [v.requires_grad_() for v in (x, *given)]
    found = []
    for module in (reference, layer):
        output, last = module(x, state)
        grads = torch.autograd.grad(loss_of(output, last), [*leaves, *module.parameters()])
        found.append((output, *fields(last), *grads))
    assert [tuple(v.shape) for v in found[0]] == [tuple(v.shape) for v in found[1]]
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


@pairs
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
@pytest.mark.parametrize("unbatched", [False, True], ids=["batch", "one"])
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "state"])
def test_equals_torch(theirs, ours, layers, bidirectional, batch_first, unbatched, given):
    options = {"bidirectional": bidirectional, "batch_first": batch_first}
    reference, layer = twins(theirs, ours, layers, **options)
    x = torch.randn(L, I) if unbatched else torch.randn(*((B, L) if batch_first else (L, B)), I)
    shape = (layers * (1 + bidirectional), *(() if unbatched else (B,)), H)
    state = torch.rand(shape) if theirs is torch.nn.GRU else (torch.rand(shape), torch.rand(shape))
    compare(reference, layer, x, state if given else None)


@pairs
def test_equals_torch_without_bias(theirs, ours):
    compare(*twins(theirs, ours, 2, bias=False), torch.randn(L, B, I), None)


@pairs
def test_equals_torch_at_a_size_of_the_fast_kernel(theirs, ours):
    torch.manual_seed(1)
    reference, layer = theirs(40, 64), ours(40, 64)
    layer.load_state_dict(reference.state_dict())
    x, found = torch.randn(9, 33, 40), []
    for module in (reference, layer):
        output, last = module(x)
        loss = sum(v.square().sum() for v in (output, *fields(last)))
        found.append((output, *fields(last), *torch.autograd.grad(loss, list(module.parameters()))))
    for a, b in zip(*found, strict=True):
        assert (a - b).abs().max() <= 2e-6 * a.abs().max()


@pairs
@pytest.mark.parametrize("lengths", [[6, 4, 1], [2, 6, 3]], ids=["sorted", "unsorted"])
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "state"])
def test_packed_sequences_equal_torch(theirs, ours, lengths, given):
    reference, layer = twins(theirs, ours, 2, bidirectional=True)
    x = torch.randn(L, B, I)
    state = None
    if given:
        state = torch.rand(4, B, H) if theirs is torch.nn.GRU else (torch.rand(4, B, H), torch.rand(4, B, H))
    found = []
    for module in (reference, layer):
        leaf = x.clone().requires_grad_()
        packed = pack_padded_sequence(leaf, torch.tensor(lengths), enforce_sorted=lengths[0] == 6)
        output, last = module(packed, state)
        assert isinstance(output, PackedSequence)
        loss = loss_of(output.data, last)
        grads = torch.autograd.grad(loss, [leaf, *module.parameters()])
        found.append((output.data, output.batch_sizes, pad_packed_sequence(output)[0], *fields(last), *grads))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", LAYERS)
def test_lengths_and_packing_are_one(kind):
    torch.manual_seed(0)
    layer, x, lengths = kind(I, H, 2, bidirectional=True), torch.randn(L, B, I), [2, 6, 3]
    output, state = layer(x, lengths=lengths)
    packed, packed_state = layer(pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False))
    assert torch.equal(pad_packed_sequence(packed)[0], output)
    assert all(torch.equal(a, b) for a, b in zip(state, packed_state, strict=True))
    assert (output[2:, 0] == 0).all()
    assert torch.equal(output, layer(x, lengths=torch.tensor(lengths, dtype=torch.int16))[0])


@pytest.mark.parametrize("kind", LAYERS)
def test_batch_first_turns_input_and_output_but_never_the_state(kind):
    torch.manual_seed(0)
    layer = kind(I, H, 2, bidirectional=True)
    turned = kind(I, H, 2, bidirectional=True, batch_first=True)
    turned.load_state_dict(layer.state_dict())
    x = torch.randn(L, B, I)
    output, state = layer(x)
    again, last = turned(x.transpose(0, 1))
    assert torch.equal(again.transpose(0, 1), output)
    assert all(torch.equal(a, b) for a, b in zip(state, last, strict=True))
    assert type(state) is type(last) is layer.kind.state_type
    one, single = layer(x[:, 1])
    assert one.shape == (L, 2 * H)
    torch.testing.assert_close(one, output[:, 1])
    for a, b in zip(single, state, strict=True):
        torch.testing.assert_close(a, b[:, 1])


@pytest.mark.parametrize("kind", LAYERS)
def test_changing_the_output_in_place_is_right_or_an_error(kind):
    """torch.nn.LSTM raises here too: the output is kept for the backward pass. Never silently wrong gradients."""
    torch.manual_seed(0)
    layer, x = kind(I, H), torch.randn(L, B, I)
    weights = [p for p in layer.parameters() if p.requires_grad]
    expected = torch.autograd.grad((2 * layer(x)[0]).square().sum(), weights)
    if not layer.kind.replicated:
        with pytest.raises(RuntimeError, match="modified"):
            torch.autograd.grad(layer(x)[0].mul_(2).square().sum(), weights)
    else:
        found = torch.autograd.grad(layer(x)[0].mul_(2).square().sum(), weights)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("kind", LAYERS)
def test_dropout_lies_between_layers_and_in_training_only(kind):
    torch.manual_seed(0)
    layer = kind(I, 64, 2, dropout=0.5)
    x = 20 * torch.randn(L, B, I)
    with torch.no_grad(), snn.observing() as seen:
        layer(x)
        layer.eval()
        output, _ = layer(x)
        assert torch.equal(output, layer(x)[0])
    first, second, still, passed = (entry for entry in seen[:4])
    assert torch.equal(still.output, passed.x)
    kept = second.x / torch.where(first.output == 0, torch.ones_like(first.output), first.output)
    kept = kept[first.output != 0]
    assert ((kept == 0) | torch.isclose(kept, torch.tensor(2.0))).all()
    assert 0.3 < (kept == 0).float().mean() < 0.7
    if layer.kind.replicated:  # all T spikes of a unit are dropped together
        lost = ((second.x == 0) & (first.output != 0)).any(1)
        assert (second.x.abs().sum(1)[lost] == 0).all()


@pytest.mark.parametrize("kind", RANGED)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_takes_the_state_dict_of_an_lstm(kind, bidirectional):
    reference = torch.nn.LSTM(I, H, 2, bidirectional=bidirectional)
    layer = kind(I, H, 2, bidirectional=bidirectional)
    with torch.no_grad():
        layer.clip_l1.fill_(0.7)
    given = reference.state_dict()
    names = list(given)
    assert str(layer.load_state_dict(given, strict=True)) == "<All keys matched successfully>"
    assert list(given) == names  # the caller's dictionary is as it was
    for name, value in given.items():
        assert torch.equal(layer.state_dict()[name], value)
    assert (layer.clip_l1 == 0.7).all()  # a range that an LSTM has not keeps its present value


@pytest.mark.parametrize("kind", RANGED)
def test_takes_the_state_dict_of_an_lstm_inside_a_model(kind):
    model = torch.nn.Sequential(torch.nn.ModuleDict({"rnn": torch.nn.LSTM(I, H)}))
    twin = torch.nn.Sequential(torch.nn.ModuleDict({"rnn": kind(I, H)}))
    twin.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(twin[0]["rnn"].weight_hh_l0, model[0]["rnn"].weight_hh_l0)


@pytest.mark.parametrize("kind", RANGED)
def test_some_ranges_missing_is_an_error(kind):
    layer = kind(I, H, 2)
    part = layer.state_dict()
    del part["clip_l1"]
    with pytest.raises(RuntimeError, match=r'Missing key.*"clip_l1"'):
        layer.load_state_dict(part)
    foreign = torch.nn.LSTM(I, H).state_dict()
    with pytest.raises(RuntimeError, match=r'Missing key.*"weight_ih_l1"'):
        layer.load_state_dict(foreign)
    with pytest.raises(RuntimeError, match="size mismatch"):
        layer.load_state_dict(torch.nn.LSTM(I, H + 1, 2).state_dict())


@pairs
def test_names_shapes_and_first_values_are_those_of_torch(theirs, ours):
    torch.manual_seed(3)
    reference = theirs(I, H, 2, bidirectional=True)
    torch.manual_seed(3)
    layer = ours(I, H, 2, bidirectional=True)
    expected, found = reference.state_dict(), layer.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[n], expected[n]) for n in expected)


def test_dtype_and_repr():
    layer = snn.SpikingLSTM(I, H, 2, time_steps=4, batch_first=True, dtype=torch.float64)
    assert {p.dtype for p in layer.parameters()} == {torch.float64}
    assert layer(torch.randn(B, L, I, dtype=torch.float64))[0].dtype == torch.float64
    assert "5, 4, num_layers=2, batch_first=True" in repr(layer)
    assert "time_steps=4" in repr(layer)


BAD_INPUT = [
    (lambda m: m(torch.zeros(L, B, I + 1)), r"x has 6 features \(shape \(6, 3, 6\)\), the layer takes input_size=5"),
    (lambda m: m(torch.zeros(L, B, I).long()), r"x is torch.int64: pass a float tensor \[L, B, I\] \(x.float\(\)\)"),
    (lambda m: m([[1.0]]), r"x is list: pass a float tensor"),
    (lambda m: m(torch.zeros(I)), r"x has shape \(5,\): pass \[L, B, I\], or \[L, I\] for one sequence"),
    (lambda m: m(torch.zeros(1, L, B, I)), r"x has shape \(1, 6, 3, 5\): pass \[L, B, I\]"),
    (lambda m: m(torch.zeros(0, B, I)), r"x has shape \(0, 3, 5\): a sequence needs at least one element"),
    (lambda m: m(torch.zeros(0, I)), r"x has shape \(0, 5\): a sequence needs at least one element"),
    (lambda m: m(torch.zeros(L, B, I), lengths=[7, 1, 1]), "lengths holds 7: the batch has 6 .* lengths from 1 to 6"),
    (lambda m: m(torch.zeros(L, B, I), lengths=[0, 1, 1]), "lengths holds 0: .* pass lengths from 1 to 6"),
    (lambda m: m(torch.zeros(L, B, I), lengths=[1, 1]), r"lengths has shape \(2,\) .*: pass 3 whole numbers"),
    (lambda m: m(torch.zeros(L, B, I), lengths=[1.0, 1.0, 1.0]), r"dtype torch.float32: pass 3 whole numbers"),
    (lambda m: m(torch.zeros(L, B, I), torch.zeros(1, B, H + 1)), r"state\[0\] .* \(1, 3, 5\): pass \(1, 3, 4\)"),
]  # fmt: skip


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(("call", "message"), BAD_INPUT)
def test_bad_input(kind, call, message):
    layer = kind(I, H)
    with pytest.raises(ShapeError, match=message):
        call(layer)


def test_batch_first_is_named_in_the_message():
    with pytest.raises(ShapeError, match=r"pass a float tensor \[B, L, I\]"):
        snn.LSTM(I, H, batch_first=True)(torch.zeros(B, L, I).int())
    with pytest.raises(ShapeError, match=r"x has shape \(3, 0, 5\): a sequence needs"):
        snn.LSTM(I, H, batch_first=True)(torch.zeros(B, 0, I))


def test_a_wrong_number_of_state_tensors():
    h = torch.zeros(1, B, H)
    with pytest.raises(ShapeError, match=r"state has 1 tensors: pass the 2 of LSTMState"):
        snn.LSTM(I, H)(torch.zeros(L, B, I), (h,))
    with pytest.raises(ShapeError, match=r"state has 3 tensors: pass the 2 of SpikingLSTMState"):
        snn.SpikingLSTM(I, H)(torch.zeros(L, B, I), (h, h, h))
    with pytest.raises(ShapeError, match=r"state\[1\] has shape \(1, 3, 7, 4\): pass \(1, 3, 4\) or \(1, 3, 3, 4\)"):
        snn.SpikingLSTM(I, H, time_steps=2)(torch.zeros(L, B, I), (h, torch.zeros(1, B, 7, H)))


def test_lengths_beside_a_packed_sequence():
    packed = pack_padded_sequence(torch.zeros(L, B, I), torch.tensor([6, 6, 6]))
    with pytest.raises(ShapeError, match="lengths is given with a PackedSequence, which has its own; leave it out"):
        snn.LSTM(I, H)(packed, lengths=[6, 6, 6])


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("name", ["input_size", "hidden_size", "num_layers"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_sizes_are_whole_and_positive(kind, name, value):
    sizes = {"input_size": 3, "hidden_size": 4, "num_layers": 1, name: value}
    with pytest.raises(ConfigError, match=f"{name}={value}: pass a whole number, 1 or more"):
        kind(**sizes)


@pytest.mark.parametrize("value", [-0.1, 1.0, 2.0, float("nan")])
def test_dropout_is_a_probability(value):
    with pytest.raises(ConfigError, match=f"dropout={value}: pass a probability"):
        snn.LSTM(I, H, dropout=value)


def test_bad_input_changes_nothing():
    layer = snn.SpikingLSTM(I, H)
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(ShapeError):
        layer(torch.zeros(L, B, I + 1))
    assert all(torch.equal(before[n], v) for n, v in layer.state_dict().items())
