"""Streams: by hand, node by node in plain Python, and what the gate neurons learn."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeseq.ops.cells.lstm import LSTMState
from spikeseq.ops.cells.streams import StreamCarry, StreamParams, StreamStep
from spikeseq.ops.scan import scan


def double(x):
    return torch.tensor(x, dtype=torch.float64)


def clip(x, low, high):
    return max(low, min(high, x))


def shift_of(leak, steps, v):
    """d* of DESIGN 2.1 by its closed forms."""
    if steps == 1:
        return v / 2
    if steps == 2:
        return v / (2 * (1 + leak))
    return v * (2 + leak**2 - leak**3) / (4 * (1 + leak + leak**2 + leak**3))


def plain_streams(x, w, u, b, v, leak, gam, steps, shifted=True):
    """One unit -> spikes[n][t] and cells[n][t]."""
    h, c, spikes, cells = [0.0] * steps, [0.0] * steps, [], []
    offset = shift_of(leak, steps, v) if shifted else 0.0
    for value in x:
        gate, m = {0: 0.0, 1: 0.0, 3: 0.0}, 0.0
        for t in range(steps):
            a = [w[k] * value + b[k] + u[k] * h[t] for k in range(4)]
            s = {}
            for k in gate:
                gate[k] = leak * gate[k] + a[k] + v / 2 + offset
                s[k] = 1.0 if gate[k] >= v else 0.0
                gate[k] -= v * s[k]
            c[t] = s[1] * c[t] + s[0] * clip(a[2], -gam, gam)
            m += s[3] * clip(c[t], -1, 1)
            h[t] = clip(math.copysign(math.floor(abs(m) + (0.5 if shifted else 0.0)), m), -1, 1)
            m -= h[t]
        spikes.append(list(h))
        cells.append(list(c))
    return spikes, cells


def engine(step, x, w, u, b, v, leak, gam):
    drive = (double(x).view(-1, 1) * double(w) + double(b)).view(len(x), 1, 1, 4)
    params = StreamParams(torch.full((3, 1, 1), v).double(), double([[gam]]), torch.full((3, 1, 1), leak).double())
    zeros = torch.zeros(step.time_steps, 1, 1).double()
    output, last = scan(step, drive, double(u).view(4, 1), LSTMState(zeros, zeros), params)
    return output.flatten(1), last


def test_two_elements_of_one_unit_by_hand():
    """T = 2, V = 4, IF (d* = 1), gam = 1; gate drives are a + 3.

    n = 1, x = 1: a_i = 0, a_f = 0, a_g = .75, a_o = 1.
      t = 1: i 3 -> no;  f 3 -> no;  o 4 -> yes, 0 left;  c = 0;  m = 0, h = 0
      t = 2: i 6 -> yes, 2 left;  f yes;  o 4 -> yes;  c = .75;  m = .75, h = 1, m = -.25
    n = 2, x = -1, u = (1, 0, 0, 1): t = 1 hears h = 0: a = (0, 0, -.75, -1);  t = 2 hears 1: a = (1, 0, -.75, 0).
      t = 1: i 3 -> no;  f 3 -> no;  o 2 -> no;  c = 0 * 0 = 0;  h = 0
      t = 2: i 3 + 4 = 7 -> yes;  f 6 -> yes;  o 2 + 3 = 5 -> yes;  c = .75 - .75 = 0;  h = 0
    """
    unit = {"x": [1.0, -1.0], "w": [0.0, 0.0, 0.75, 1.0], "u": [1.0, 0.0, 0.0, 1.0], "b": [0.0] * 4}
    output, last = engine(StreamStep(2), **unit, v=4.0, leak=1.0, gam=1.0)
    assert output.tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert last.c.flatten().tolist() == [0.0, 0.0]
    spikes, cells = plain_streams(**unit, v=4.0, leak=1.0, gam=1.0, steps=2)
    assert (spikes, cells) == ([[0.0, 1.0], [0.0, 0.0]], [[0.0, 0.75], [0.0, 0.0]])


units = st.fixed_dictionaries(
    {
        "x": st.lists(st.integers(-4, 4).map(lambda k: k / 2), min_size=1, max_size=6),
        **{n: st.lists(st.integers(-8, 8).map(lambda k: k / 4), min_size=4, max_size=4) for n in ("w", "u", "b")},
    }
)


@settings(max_examples=60)
@given(units, st.sampled_from([1, 2, 4]), st.sampled_from([1.0, 4.0]), st.booleans())
def test_if_against_plain_python(unit, steps, v, shifted):
    spikes, cells = plain_streams(**unit, v=v, leak=1.0, gam=1.0, steps=steps, shifted=shifted)
    output, last = engine(StreamStep(steps, shift=shifted), **unit, v=v, leak=1.0, gam=1.0)
    assert output.tolist() == spikes
    assert last.c.flatten().tolist() == cells[-1]


@settings(max_examples=60)
@given(units, st.sampled_from([1, 2, 4]), st.booleans())
def test_lif_against_plain_python(unit, steps, shifted):
    """Leak and threshold that no sum of dyadic drives meets exactly: no ties."""
    spikes, cells = plain_streams(**unit, v=1.9, leak=0.7123, gam=1.0, steps=steps, shifted=shifted)
    output, last = engine(StreamStep(steps, shift=shifted), **unit, v=1.9, leak=0.7123, gam=1.0)
    assert output.tolist() == spikes
    assert last.c.flatten().tolist() == pytest.approx(cells[-1])


def random_node(steps=2, width=6, batch=5, **leaf):
    torch.manual_seed(0)
    params = StreamParams(
        torch.rand(3, 1, width).double() + 1, torch.rand(1, width).double() + 0.5, torch.rand(3, 1, width).double()
    )
    if leaf:
        params = StreamParams(*(p.requires_grad_() for p in params))
    return StreamStep(steps), torch.randn(batch, 4 * width).double(), torch.randn(batch, width).double(), params


def test_gates_are_one_bit():
    """With c = 1 and g = 2 (held by the clip) the new c tells the two gates apart: f + 2 i is 0, 1, 2 or 3."""
    step, current, c, params = random_node(batch=40)
    current[:, 12:18] = 9.0
    params = params._replace(clip=torch.full_like(params.clip, 2.0))
    carry = StreamCarry(*(torch.randn_like(c) for _ in range(4)))
    _, new, _ = step.node(1, current, carry, torch.ones_like(c), params)
    assert set(new.unique().tolist()) == {0.0, 1.0, 2.0, 3.0}


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_spikes_are_ternary(steps):
    torch.manual_seed(1)
    params = StreamParams(torch.ones(3, 1, 6) * 2, torch.ones(1, 6), torch.full((3, 1, 6), 0.8))
    zeros = torch.zeros(steps, 5, 6)
    output, _ = scan(
        StreamStep(steps), 3 * torch.randn(9, 1, 5, 24), torch.randn(24, 6), LSTMState(zeros, zeros), params
    )
    assert set(output.unique().tolist()) == {-1.0, 0.0, 1.0}


def test_the_gradient_reaches_leak_threshold_and_clip():
    torch.manual_seed(2)
    params = StreamParams(
        (torch.ones(3, 1, 6) * 2).requires_grad_(), torch.ones(1, 6).requires_grad_(),
        torch.full((3, 1, 6), 0.8).requires_grad_(),
    )  # fmt: skip
    zeros = torch.zeros(2, 5, 6)
    output, _ = scan(StreamStep(2), torch.randn(9, 1, 5, 24), torch.randn(24, 6) / 3, LSTMState(zeros, zeros), params)
    for name, grad in zip(params._fields, torch.autograd.grad(output.square().sum(), params), strict=True):
        assert (grad != 0).all(), name


def test_the_shift_follows_leak_and_threshold_in_the_gradient():
    """One step of one gate, v = a + V/2 + d*(leak, V), u = (v - V) / V inside the rectangle: s' = du."""
    leak, v = double([[[0.5]]] * 3).requires_grad_(), double([[[2.0]]] * 3).requires_grad_()
    step, zero = StreamStep(2), torch.zeros(1, 1).double()
    carry = StreamCarry(zero, zero, zero, zero)
    current = double([[0.25, 0.0, 1.0, 0.0]])
    _, c, _ = step.node(1, current, carry, zero, StreamParams(v, double([[1.0]]), leak))  # c = s_i * 1
    d_leak, d_v = torch.autograd.grad(c.sum(), [leak, v])
    # d* = V / (2 (1 + leak)); u = (a + V/2 + d*) / V - 1 = a/V - 1/2 + 1 / (2 (1 + leak))
    assert d_leak.flatten().tolist() == pytest.approx([-1 / (2 * 1.5**2), 0, 0])
    assert d_v.flatten().tolist() == pytest.approx([-0.25 / 4, 0, 0])


def test_the_output_reset_carries_no_error_back():
    """m' = m + y - h with h detached: the membrane keeps the slope 1 of what it was."""
    step, current, c, params = random_node()
    m = torch.full_like(c, 0.25).requires_grad_()
    carry = StreamCarry(*(torch.zeros_like(c) for _ in range(3)), m)
    h, _, after = step.node(1, current, carry, c, params)
    assert torch.autograd.grad(after.output.sum(), m, retain_graph=True)[0].eq(1).all()
    inside = (after.output + h).abs() < 1  # h = R(m) clipped: its slope is that of the clip
    assert torch.equal(torch.autograd.grad(h.sum(), m)[0], inside.double())
