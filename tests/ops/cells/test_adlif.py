"""adLIF: both forms in plain Python, and how errors come back through spikes and resets."""

import pytest
import torch

from spikeseq.ops.cells.adlif import AdLIFParams, AdLIFState, AdLIFStep
from spikeseq.ops.scan import scan

ALPHA, BETA, P, Q, U = 0.9, 0.97, 0.05, 0.4, 0.7


def params(*values):
    return AdLIFParams(*(torch.full((1, 1), v, dtype=torch.float64) for v in values))


def state(*values):
    return AdLIFState(*(torch.full((1, 1), v, dtype=torch.float64) for v in values))


def forward(drive):
    s = u = w = 0.0
    for value in drive:
        a = value + U * s
        w = BETA * w + P * u + Q * s
        u = ALPHA * (u - s) + (1 - ALPHA) * (a - w)
        s = float(u >= 1)
        yield s, u, w


def symplectic(drive):
    s = u = w = 0.0
    for value in drive:
        u = ALPHA * u + (1 - ALPHA) * (value + U * s - w)
        s = float(u >= 1)
        u = 0.0 if s else u
        w = BETA * w + (1 - BETA) * (P * u + Q * s)
        yield s, u, w


@pytest.mark.parametrize("form", [forward, symplectic])
def test_a_sequence_by_hand(form):
    torch.manual_seed(0)
    drive = 3 + 2 * torch.randn(60, 1, 1, dtype=torch.float64)
    expected = torch.tensor(list(form(drive.flatten().tolist())), dtype=torch.float64)
    recurrent = torch.full((1, 1), U, dtype=torch.float64)
    step = AdLIFStep(form is symplectic)
    spikes, last = scan(step, drive, recurrent, state(0, 0, 0), params(ALPHA, BETA, P, Q))
    assert torch.equal(spikes.flatten(), expected[:, 0])
    torch.testing.assert_close(torch.cat(last).flatten(), expected[-1])
    assert 0.03 < spikes.mean() < 0.5


def test_adaptation_makes_a_neuron_tired():
    drive = torch.full((200, 1, 1), 2.5, dtype=torch.float64)
    gaps = []
    for q in (0.0, 1.0):
        spikes, _ = scan(AdLIFStep(), drive, None, state(0, 0, 0), params(ALPHA, BETA, 0.0, q))
        times = spikes.flatten().nonzero().flatten()
        gaps.append(times.diff().double().mean().item())
    assert gaps[1] > 1.5 * gaps[0]


@pytest.mark.parametrize("form", [False, True])
def test_without_spikes_it_is_linear_and_smooth(form):
    torch.manual_seed(1)
    leaves = [torch.rand(2, 3, dtype=torch.float64) / 4 for _ in range(3)]
    leaves += [torch.rand(1, 3, dtype=torch.float64) / 2 for _ in range(4)]

    def run(a, u, w, *values):
        s = torch.zeros_like(u)
        _, last = AdLIFStep(form)(a, AdLIFState(s, u, w), AdLIFParams(*values))
        return last.u, last.w

    assert torch.autograd.gradcheck(run, tuple(v.requires_grad_() for v in leaves))


def test_a_spike_has_the_slope_of_a_rectangle_and_the_symplectic_reset_carries_no_error():
    near = torch.tensor([[1.3]], dtype=torch.float64, requires_grad=True)  # u before the spike: 1.17
    s, last = AdLIFStep(True)(near, state(0, 1.3, 0), params(0.8, 0.5, 0.0, 2.0))
    assert (s.item(), last.u.item()) == (1.0, 0.0)
    d_s, d_u, d_w = (torch.autograd.grad(v.sum(), near, retain_graph=True)[0].item() for v in (s, last.u, last.w))
    assert d_s == pytest.approx(0.2)  # 1 - alpha, slope 1
    assert d_u == 0  # u (1 - s) with s a constant
    assert d_w == pytest.approx(0.5 * 2.0 * 0.2)
    far = torch.tensor([[9.0]], dtype=torch.float64, requires_grad=True)
    s, _ = AdLIFStep(True)(far, state(0, 1.3, 0), params(0.8, 0.5, 0.0, 2.0))
    assert torch.autograd.grad(s.sum(), far)[0].item() == 0
