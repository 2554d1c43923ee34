"""Input codes against plain Python: integers that are sent, 8-bit rows, and gradients that pass the roundings."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.ops.encode import MOST, eight_bit_rows, input_counts

STEPS = st.integers(-6, 3).map(lambda e: 2.0**e)


def count_by_hand(x: float, step: float) -> int:
    u = x / step
    return max(-MOST, min(MOST, int(math.copysign(math.floor(abs(u) + 0.5), u))))


def unit_by_hand(row: list[float]) -> float:
    """The smallest power of two of which 127 multiples reach the row's largest weight."""
    unit, largest = 2.0**-200, max(map(abs, row))
    while MOST * unit < largest:
        unit *= 2
    return unit


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), STEPS), min_size=1, max_size=9))
def test_counts(pairs):
    x, step = (torch.tensor(column, dtype=torch.float64) for column in zip(*pairs, strict=True))
    k = input_counts(x.expand(2, 3, -1), step)
    assert k.shape == (2, 3, len(pairs))
    assert k[1, 2].tolist() == [count_by_hand(*pair) for pair in pairs]


@pytest.mark.parametrize("x", [0.25, 0.75, 1.25, 1e9])
def test_halves_are_rounded_away_from_zero_and_both_signs_alike(x):
    values, step = torch.tensor([x, -x]), torch.tensor([0.5, 0.5])
    k = count_by_hand(x, 0.5)
    assert input_counts(values, step).tolist() == [k, -k]
    assert k == min(127, math.floor(2 * x + 0.5))


@given(st.lists(st.lists(st.floats(-8, 8), min_size=3, max_size=3), min_size=1, max_size=6), st.integers(-40, 40))
def test_eight_bit_rows(rows, exponent):
    """Multiples of a power of two for each row, as fine as 8 bits allow, each the nearest to its weight."""
    rows = [[value * 2.0**exponent for value in row] for row in rows]
    found = eight_bit_rows(torch.tensor(rows, dtype=torch.float64)).tolist()
    for row, result in zip(rows, found, strict=True):
        if max(map(abs, row)) < 1e-30:
            assert all(abs(value) <= 1e-30 for value in result)
            continue
        unit = unit_by_hand(row)
        q = [value / unit for value in result]
        assert all(k == int(k) and abs(k) <= MOST for k in q)
        assert max(map(abs, q)) >= MOST / 2 - 0.5  # the 8 bits are used
        assert all(abs(a - b) <= unit / 2 for a, b in zip(row, result, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_that_hold_nothing(dtype):
    """Zero, and weights too small to divide: zeros, no NaN."""
    tiny = torch.finfo(dtype).tiny
    rows = torch.tensor([[0.0, 0.0], [tiny / 1e4, 0.0], [1.0, -1.0]], dtype=dtype)
    assert eight_bit_rows(rows).tolist() == [[0, 0], [0, 0], [1, -1]]


def test_largest_values_and_powers_of_two_stay():
    rows = torch.tensor([[127.0, 1.0, 0.4], [128.0, 1.0, 3.0], [2.0**-30, 0.0, 2.0**-36]])
    assert eight_bit_rows(rows).tolist() == [[127, 1, 0], [128, 2, 4], [2.0**-30, 0, 2.0**-36]]


def test_gradients_pass_straight_through():
    x = torch.tensor([0.3, -0.3, 200.0, -200.0], dtype=torch.float64, requires_grad=True)
    step = torch.tensor([0.5, 0.25, 1.0, 1.0], dtype=torch.float64)
    (grad,) = torch.autograd.grad(input_counts(x, step).sum(), x)
    assert grad.tolist() == [2, 4, 0, 0]  # 1 / step inside the clip range, nothing outside
    weight = torch.randn(3, 4, requires_grad=True)
    (grad,) = torch.autograd.grad((eight_bit_rows(weight) * torch.arange(4.0)).sum(), weight)
    assert torch.equal(grad, torch.arange(4.0).expand(3, 4))
