"""Float LSTM: one element, written out with plain Python numbers."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.ops.cells.lstm import LSTMState, LSTMStep

numbers = st.floats(-6, 6)


@given(st.tuples(numbers, numbers, numbers, numbers), numbers, numbers)
def test_one_element(a, h, c):
    i, f, o = (1 / (1 + math.exp(-a[k])) for k in (0, 1, 3))
    new = f * c + i * math.tanh(a[2])
    state = LSTMState(torch.tensor([[h]], dtype=torch.float64), torch.tensor([[c]], dtype=torch.float64))
    output, last = LSTMStep()(torch.tensor([a], dtype=torch.float64), state, ())
    assert math.isclose(last.c.item(), new, rel_tol=1e-12, abs_tol=1e-12)
    assert math.isclose(output.item(), o * math.tanh(new), rel_tol=1e-12, abs_tol=1e-12)
    assert last.h.item() == output.item()
