"""LIF and IF layers against the plain loop: outputs, last state and every gradient; what their options mean."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ShapeError
from spikeseq.nn.kinds import SMALLEST
from spikeseq.nn.observe import observing
from spikeseq.ops.cells.lif import LIFStep
from spikeseq.ops.neuron import LIFParams, LIFState
from spikeseq.ops.reference import scan_reference
from spikeseq.ops.spike import Arctan, FastSigmoid, Rectangle, Triangle

L, B, C = 7, 3, 5
SHAPES = [(C,), (C, 3), (C, 2, 3)]
SURROGATES = {"triangle": Triangle(), "rectangle": Rectangle(), "fast_sigmoid": FastSigmoid(), "arctan": Arctan()}


def plain(layer, x, v, lengths=None):
    """The loop of ops/reference.py with a threshold and a leak for every unit."""
    mask = None if lengths is None else (torch.arange(L)[:, None] < torch.tensor(lengths)).unsqueeze(-1)
    leak = torch.ones(()) if layer.leak is None else layer.leak
    per_unit = [
        p.expand(C).view(C, *(1,) * (x.dim() - 3)).expand(x.shape[2:]).reshape(1, -1) for p in (layer.threshold, leak)
    ]
    step = LIFStep(layer.step.surrogate, layer.step.reset)
    spikes, last = scan_reference(step, x.flatten(2), None, LIFState(v.flatten(1)), LIFParams(*per_unit), mask)
    return spikes.view(x.shape), last.v.view(v.shape)


def spread(layer):
    """Other values for every channel, within their ranges."""
    with torch.no_grad():
        layer.threshold.copy_(torch.rand_like(layer.threshold) + 0.5)
        if layer.leak is not None:
            layer.leak.copy_(torch.rand_like(layer.leak))
    return layer


@pytest.mark.parametrize("units", SHAPES, ids=str)
@pytest.mark.parametrize("channels", [None, C], ids=["layer", "channel"])
@pytest.mark.parametrize("kind", [snn.LIF, snn.IF])
@pytest.mark.parametrize("lengths", [None, [4, 7, 1]], ids=["full", "lengths"])
def test_equals_the_plain_loop(units, channels, kind, lengths):
    torch.manual_seed(len(units))
    layer = spread(kind(channels, dtype=torch.float64))
    x = torch.randn(L, B, *units, dtype=torch.float64, requires_grad=True)
    v = torch.randn(B, *units, dtype=torch.float64, requires_grad=True)
    weights = [torch.randn(L, B, *units).double(), torch.randn(B, *units).double()]
    found = []
    for spikes, last in (layer(x, LIFState(v), lengths), (*plain(layer, x, v, lengths),)):
        last = last.v if isinstance(last, LIFState) else last
        loss = (spikes * weights[0]).sum() + (last * weights[1]).sum()
        found.append((spikes, last, *torch.autograd.grad(loss, [x, v, *layer.parameters()])))
    assert 0.01 < found[0][0].mean() < 0.9
    for a, b in zip(*found, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_surrogate_and_reset_by_name(name, reset):
    torch.manual_seed(0)
    layer = snn.LIF(C, reset=reset, surrogate=name, dtype=torch.float64)
    assert layer.step == LIFStep(SURROGATES[name], reset)
    x = torch.randn(L, B, C, dtype=torch.float64, requires_grad=True)
    v = torch.zeros(B, C, dtype=torch.float64)
    for a, b in zip(layer(x)[0], plain(layer, x, v)[0], strict=True):
        assert torch.equal(a, b)
    found, expected = (torch.autograd.grad(s.sum(), x)[0] for s in (layer(x)[0], plain(layer, x, v)[0]))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_a_surrogate_of_ones_own_is_used_and_belongs_to_its_layer():
    own = Triangle(0.7)
    layer, other = snn.LIF(surrogate=own), snn.LIF()
    assert layer.step.surrogate is own
    assert other.step.surrogate == Triangle(0.3)
    x = torch.full((1, 1, 1), 1.0, requires_grad=True)
    assert torch.autograd.grad(layer(x)[0].sum(), x)[0].item() == pytest.approx(0.7)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_leak_1_is_if(reset):
    torch.manual_seed(1)
    x = torch.randn(50, 4, C)
    lif, integrate = snn.LIF(C, leak=1.0, reset=reset), snn.IF(C, reset=reset)
    (spikes, state), (expected, last) = lif(x), integrate(x)
    assert torch.equal(spikes, expected)
    assert torch.equal(state.v, last.v)
    assert [n for n, _ in integrate.named_parameters()] == ["threshold"]


def test_without_reset_to_zero_no_current_is_lost():
    """Soft reset: what an IF neuron took in is what it sent, in thresholds, and what it still holds."""
    torch.manual_seed(2)
    x = torch.randint(0, 16, (40, 2, C)) / 8.0
    spikes, state = snn.IF(C, threshold=0.5)(x)
    assert torch.equal(0.5 * spikes.sum(0) + state.v, x.sum(0))


@pytest.mark.parametrize(("cell", "layer"), [(snn.LIFCell, snn.LIF), (snn.IFCell, snn.IF)])
@pytest.mark.parametrize("shape", [(C,), (B, C), (B, C, 2, 3)], ids=str)
def test_a_cell_is_one_element_of_its_layer(cell, layer, shape):
    torch.manual_seed(3)
    one, whole = cell(C), layer(C)
    spread(whole)
    one.load_state_dict(whole.state_dict())
    x = torch.randn(L, *shape)
    expected, last = whole(x)
    state = None
    for n in range(L):
        spikes, state = one(x[n], state)
        assert torch.equal(spikes, expected[n])
    assert torch.equal(state.v, last.v)
    assert torch.equal(one(x[0], last.v)[0], one(x[0], last)[0])


def test_batch_first_turns_input_and_output_and_never_the_state():
    torch.manual_seed(4)
    x = torch.randn(L, B, C, 2)
    layer, turned = snn.LIF(C), snn.LIF(C, batch_first=True)
    (spikes, state), (other, last) = layer(x, lengths=[3, 7, 2]), turned(x.transpose(0, 1), lengths=[3, 7, 2])
    assert torch.equal(other, spikes.transpose(0, 1))
    assert torch.equal(last.v, state.v)
    assert state.v.shape == (B, C, 2)


def test_one_sequence_alone_and_a_packed_batch():
    torch.manual_seed(5)
    layer, x, lengths = snn.LIF(C), torch.randn(L, B, C), [3, 7, 2]
    spikes, state = layer(x, lengths=lengths)
    alone, last = layer(x[:3, 0])
    assert torch.equal(alone, spikes[:3, 0])
    assert torch.equal(last.v, state.v[0])
    assert torch.equal(layer(x[:3, 0], last)[1].v, layer(x[:3, :1], LIFState(last.v.unsqueeze(0)))[1].v[0])
    packed, end = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
    assert torch.equal(pad_packed_sequence(packed)[0], spikes)
    assert torch.equal(end.v, state.v)


def test_a_channels_last_input_gives_the_same():
    torch.manual_seed(6)
    x = torch.randn(B, C, L)
    assert torch.equal(snn.LIF(C)(x.permute(2, 0, 1))[0], snn.LIF(C)(x.permute(2, 0, 1).contiguous())[0])


def test_parameters_are_clamped_when_used_and_can_come_back():
    layer = snn.LIF(2)
    with torch.no_grad():
        layer.threshold.copy_(torch.tensor([-1.0, 2.0]))
        layer.leak.copy_(torch.tensor([1.5, -0.5]))
    threshold, leak = layer.effective()
    assert threshold.tolist() == pytest.approx([SMALLEST, 2.0])
    assert leak.tolist() == [1.0, 0.0]
    assert torch.autograd.grad(leak.sum() + threshold.sum(), list(layer.parameters()))[0].tolist() == [1, 1]
    x = torch.zeros(2, 1, 2)
    assert layer(x, LIFState(torch.tensor([[3 * SMALLEST, 1.0]])))[1].v[0].tolist() == pytest.approx([SMALLEST, 0.0])


def test_a_dyadic_leak_is_rounded_in_use_and_learns_all_the_same():
    layer = snn.LIF(3, leak=0.9, dyadic_leak=True)
    with torch.no_grad():
        layer.leak.copy_(torch.tensor([0.9, 0.99, 0.4]))
    assert layer.effective().leak.tolist() == [0.875, 1 - 2.0**-7, 0.5]
    x = torch.full((4, 1, 3), 0.3)
    layer(x)[0].sum().backward()
    assert (layer.leak.grad != 0).all()


@pytest.mark.parametrize("frozen", ["threshold", "leak"])
def test_what_is_not_learned(frozen):
    layer = snn.LIF(2, **{f"learn_{frozen}": False})
    assert [n for n, p in layer.named_parameters() if not p.requires_grad] == [frozen]


def test_an_observer_sees_currents_and_spikes():
    layer, x = snn.LIF(C), torch.randn(L, B, C, 2)
    with observing() as seen:
        spikes, _ = layer(x, lengths=[3, 7, 2])
    (one,) = seen
    assert one.module is layer
    assert torch.equal(one.output, spikes.flatten(2))
    assert torch.equal(one.x[:, 1], x.flatten(2)[:, 1])
    assert one.mask.sum(0).flatten().tolist() == [3, 7, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"leak": 1.5}, "leak=1.5: a factor per element from 0 to 1"),
        ({"leak": float("nan")}, "leak=nan"),
        ({"threshold": 0.0}, "threshold=0.0: pass 0.001 or more"),
        ({"threshold": float("nan")}, "threshold=nan"),
        ({"channels": 0}, "channels=0: pass a whole number, 1 or more"),
        ({"reset": "substract"}, "reset='substract': did you mean 'subtract'"),
        ({"surrogate": "triangel"}, "surrogate='triangel': did you mean 'triangle'"),
        ({"surrogate": 0.3}, "surrogate=0.3: pass a callable or one of"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ConfigError, match=words):
        snn.LIF(**options)


@pytest.mark.parametrize(
    ("x", "state", "lengths", "words"),
    [
        (torch.zeros(L, B, C + 1), None, None, r"x has 6 channels .* the neurons have 5"),
        (torch.zeros(L, B, C), LIFState(torch.zeros(B, C, 1)), None, r"state.v has shape \(3, 5, 1\): pass \(3, 5\)"),
        (torch.zeros(L), None, None, r"x has shape \(7,\): pass \[L, B, C, ..\]"),
        (torch.zeros(0, B, C), None, None, "a sequence needs at least one element"),
        (torch.zeros(L, B, C, dtype=torch.int64), None, None, "x is torch.int64: pass a float tensor"),
        (torch.zeros(L, B, C), None, [1, 2, 8], "lengths holds 8: the batch has 7 elements"),
        (torch.zeros(L, B, C), None, [1, 2], "pass 3 whole numbers"),
    ],
)
def test_bad_input(x, state, lengths, words):
    with pytest.raises(ShapeError, match=words):
        snn.LIF(C)(x, state, lengths)


def test_a_cell_refuses_a_state_that_does_not_fit():
    with pytest.raises(ShapeError, match=r"state.v has shape \(2, 5\): pass \(3, 5\)"):
        snn.LIFCell(C)(torch.zeros(B, C), LIFState(torch.zeros(2, C)))
