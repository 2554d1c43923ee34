"""Leaky current: a sequence in plain Python, and the leak's gradient."""

import math

import pytest
import torch

from spikeseq.ops.cells.current import CurrentState, CurrentStep
from spikeseq.ops.cells.leaky_current import Leaky, LeakyParams
from spikeseq.ops.scan import scan
from spikeseq.ops.sigma_delta import sigma_delta


@pytest.mark.parametrize("leak", [1.0, 0.8, -0.3])
def test_a_sequence_by_hand(leak):
    torch.manual_seed(0)
    drive = torch.randn(12, 1, 1, dtype=torch.float64)
    params = LeakyParams(*(torch.full((1, 1), value, dtype=torch.float64) for value in (3.0, leak)))
    step = CurrentStep(Leaky(), sigma_delta(5, 0, "trunc", "signed"))
    zeros = torch.zeros(1, 1, dtype=torch.float64)
    found, last = scan(step, drive, None, CurrentState(zeros, zeros, zeros), params)
    syn = v = 0.0
    s = 16 * (1 - 1e-4) / 3
    for n, a in enumerate(drive.flatten().tolist()):
        syn = a + leak * syn
        v += syn
        y = math.trunc(s * max(-3, min(3, v))) / s
        v -= y
        assert found[n].item() == pytest.approx(y, abs=1e-12)
    assert (last.current.item(), last.residual.item()) == (pytest.approx(syn), pytest.approx(v))


def test_gradients():
    torch.manual_seed(1)
    a, current, leak = (torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(3))
    one = torch.ones(1, 1, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda *v: Leaky()(v[0], v[1], LeakyParams(one, v[2])), (a, current, leak))
