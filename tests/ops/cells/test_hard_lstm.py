"""Hard and quantised LSTM: written out with plain Python numbers, and their straight-through gradients."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.ops.cells.hard_lstm import HardLSTMStep, HardParams, QuantizedLSTMStep
from spikeseq.ops.cells.lstm import LSTMState

dyadic = st.integers(-96, 96).map(lambda k: k / 16)
ranges = st.sampled_from([0.5, 1.0, 2.0, 4.0])


def clip(x, low, high):
    return max(low, min(high, x))


def plain(a, c, v, gam, steps=None, shift=0.5):
    """One unit, one element: (h, c); ``steps`` None is the hard LSTM."""
    gates = []
    for k, threshold in zip((0, 1, 3), v, strict=True):
        unit = clip(a[k] / threshold + 0.5, 0.0, 1.0)
        gates.append(unit if steps is None else clip(math.floor(steps * unit + shift), 0, steps) / steps)
    i, f, o = gates
    c = f * c + i * clip(a[2], -gam, gam)
    y = o * clip(c, -1.0, 1.0)
    if steps is None:
        return y, c
    return math.copysign(math.floor(abs(steps * y) + shift), y) / steps, c


def step_once(step, a, c, v, gam):
    def double(x):
        return torch.tensor(x, dtype=torch.float64)

    params = HardParams(double(v).view(3, 1, 1), double([[gam]]))
    output, last = step(double([list(a)]), LSTMState(double([[9.0]]), double([[c]])), params)
    assert output.item() == last.h.item()
    return output.item(), last.c.item()


@given(st.tuples(dyadic, dyadic, dyadic, dyadic), dyadic, st.tuples(ranges, ranges, ranges), ranges)
def test_hard_element(a, c, v, gam):
    assert step_once(HardLSTMStep(), a, c, v, gam) == plain(a, c, v, gam)


@given(
    st.tuples(dyadic, dyadic, dyadic, dyadic), dyadic, st.tuples(ranges, ranges, ranges), ranges,
    st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([0.0, 0.5]),
)  # fmt: skip
def test_quantised_element(a, c, v, gam, steps, shift):
    assert step_once(QuantizedLSTMStep(steps, shift), a, c, v, gam) == plain(a, c, v, gam, steps, shift)


def test_the_hard_sigmoid_has_the_slope_of_the_sigmoid_at_0():
    """Unit ranges of nn/kinds.py: width 4."""
    a = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    params = HardParams(torch.full((3, 1, 1), 4.0).double(), torch.ones(1, 1).double())
    _, last = HardLSTMStep()(a, LSTMState(torch.zeros(1, 1).double(), torch.ones(1, 1).double()), params)
    slopes = torch.autograd.grad(last.c.sum(), a)[0][0]
    assert slopes.tolist() == [0.0, 0.25, 0.5, 0.0]  # d c: i closed (g = 0), f c / 4, i, o none


@pytest.mark.parametrize("steps", [1, 2, 8])
def test_quantised_gradient_is_the_hard_one_taken_at_the_quantised_gates(steps):
    torch.manual_seed(0)
    a = torch.randn(50, 4, dtype=torch.float64, requires_grad=True)
    c = torch.randn(50, 1, dtype=torch.float64, requires_grad=True)
    v = torch.full((3, 1, 1), 2.0, dtype=torch.float64, requires_grad=True)
    gam = torch.full((1, 1), 0.8, dtype=torch.float64, requires_grad=True)
    step = QuantizedLSTMStep(steps)
    output, last = step(a, LSTMState(torch.zeros_like(c), c), HardParams(v, gam))
    found = torch.autograd.grad(output.sum(), [a, c, v, gam])

    u = [a[:, k : k + 1] / v[j] + 0.5 for j, k in enumerate((0, 1, 3))]
    inside = [((x > 0) & (x < 1)).double() for x in u]
    level = [(torch.floor(steps * x + 0.5).clamp(0, steps) / steps).detach() for x in u]
    i, f, o = (q + s * (x - x.detach()) for q, s, x in zip(level, inside, u, strict=True))
    g = torch.clamp(a[:, 2:3], -gam, gam)
    new = f * c + i * g
    y = o * torch.clamp(new, -1, 1)
    for x, expected in zip(found, torch.autograd.grad(y.sum(), [a, c, v, gam]), strict=True):
        torch.testing.assert_close(x, expected)
    torch.testing.assert_close(last.c, new)
