"""Float GRU: one element, written out with plain Python numbers."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.ops.cells.gru import GRUState, GRUStep

numbers = st.floats(-6, 6)


@given(st.tuples(numbers, numbers, numbers, numbers), numbers)
def test_one_element(a, h):
    n_x, r, z, n_h = a
    r, z = 1 / (1 + math.exp(-r)), 1 / (1 + math.exp(-z))
    expected = (1 - z) * math.tanh(n_x + r * n_h) + z * h
    state = GRUState(torch.tensor([[h]], dtype=torch.float64))
    output, last = GRUStep()(torch.tensor([a], dtype=torch.float64), state, ())
    assert math.isclose(output.item(), expected, rel_tol=1e-12, abs_tol=1e-12)
    assert last.h.item() == output.item()
