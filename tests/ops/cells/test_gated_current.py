"""Gated current: one element and a sequence in plain Python; the smooth part by difference quotients; only levels go out."""

import math
from dataclasses import dataclass

import pytest
import torch

from spikeseq.ops.cells.current import CurrentState, CurrentStep
from spikeseq.ops.cells.gated_current import (
    Gated,
    GatedParams,
    HardGatedState,
    HardGatedStep,
    LevelGated,
    LevelParams,
)
from spikeseq.ops.scan import Projection, scan
from spikeseq.ops.sigma_delta import SigmaDelta, sigma_delta

L, B, I, H, M = 9, 3, 4, 5, 1.5


def double(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def clip(x, low, high):
    return max(low, min(high, x))


def trunc_levels(acc):
    """The published quantiser at 4 bits, one level dead."""
    s = 8 * (1 - 1e-4) / M
    k = math.trunc(s * clip(acc, -M, M))
    return 0.0 if abs(k) <= 1 else k / s


def nearest_levels(acc, levels, low):
    u = clip(acc, low, 1.0)
    return math.copysign(math.floor(abs(u) * levels + 0.5), u) / levels


def gate(a, threshold, levels, shift=0.5):
    u = a / threshold + 0.5
    return clip(u, 0, 1) if levels is None else clip(math.floor(levels * u + shift), 0, levels) / levels


def by_hand(x, w, u, b, keep, candidate, gate, send):
    """A row after the other: y[n][j] and the last current and residual."""
    outputs = torch.zeros(L, B, H, dtype=torch.float64)
    last = torch.zeros(2, B, H, dtype=torch.float64)
    for row in range(B):
        y, h, acc = [0.0] * H, [0.0] * H, [0.0] * H
        for n in range(L):
            a = [
                sum(w[g][i] * x[n][row][i] for i in range(I)) + b[g] + sum(u[g][j] * y[j] for j in range(H))
                for g in range(2 * H)
            ]
            now = []
            for j in range(H):
                z, c = gate(a[j], j), candidate(a[H + j], j)
                h[j] = (1 - z) * c * keep[row][j] + z * h[j]
                acc[j] += h[j]
                now.append(send(acc[j]))
                acc[j] -= now[j]
            y = now
            outputs[n, row] = torch.tensor(y)
        last[0, row], last[1, row] = torch.tensor(h), torch.tensor(acc)
    return outputs, last


def problem():
    torch.manual_seed(3)
    keep = torch.tensor([[0.0, 1.25, 1.25, 1.25, 0.0], [1.25] * 5, [1.25, 0.0, 1.25, 1.25, 1.25]], dtype=torch.float64)
    return 2 * double(L, B, I), double(2 * H, I), double(2 * H, H) / 2, double(2 * H), keep


def zeros(fields):
    return (torch.zeros(B, H, dtype=torch.float64) for _ in range(fields))


@pytest.mark.parametrize("recurrent", [True, False], ids=["v2", "v1"])
def test_the_published_form(recurrent):
    x, w, u, b, keep = problem()
    step = CurrentStep(Gated(), sigma_delta(4, 1, "trunc", "signed"))
    params = GatedParams(torch.full((1, 1), M).double(), keep)
    used = u if recurrent else None
    found, last = scan(step, Projection(x, w, b), used, CurrentState(*zeros(3)), params)
    expected, ends = by_hand(
        x.tolist(), w.tolist(), (u if recurrent else 0 * u).tolist(), b.tolist(), keep.tolist(),
        lambda a, j: max(a, 0.0), lambda a, j: 1 / (1 + math.exp(-a)), trunc_levels,
    )  # fmt: skip
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.stack([last.current, last.residual]), ends)
    assert 0 < (found != 0).double().mean() < 1


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(("levels", "shift"), [(1, 0.5), (4, 0.5), (4, 0.0)])
def test_levels(signed, levels, shift):
    x, w, u, b, keep = problem()
    threshold, gam = torch.rand(H, dtype=torch.float64) * 3 + 1, torch.rand(H, dtype=torch.float64) / 2 + 0.5
    step = CurrentStep(LevelGated(levels, signed, shift), SigmaDelta(levels, signed=signed))
    params = LevelParams(torch.ones(1, 1).double(), keep * 0.8, threshold[None], gam[None])
    found, last = scan(step, Projection(x, w, b), u, CurrentState(*zeros(3)), params)
    low = -1.0 if signed else 0.0
    expected, ends = by_hand(
        x.tolist(), w.tolist(), u.tolist(), b.tolist(), (keep * 0.8).tolist(),
        lambda a, j: clip(a, low * gam[j].item(), gam[j].item()),
        lambda a, j: gate(a, threshold[j].item(), levels, shift), lambda acc: nearest_levels(acc, levels, low),
    )  # fmt: skip
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.stack([last.current, last.residual]), ends)
    k = found * levels
    assert torch.equal(k, k.round())  # k / T
    assert (k.min() < 0) == signed
    # |h| <= gam <= 1, the range of y: never more than half a level is left over
    assert last.residual.abs().max() <= 0.5 / levels + 1e-12


@pytest.mark.parametrize("signed", [True, False])
def test_hard(signed):
    x, w, u, b, keep = problem()
    threshold, gam = torch.rand(H, dtype=torch.float64) * 3 + 1, torch.rand(H, dtype=torch.float64) / 2 + 0.5
    params = LevelParams(torch.ones(1, 1).double(), keep, threshold[None], gam[None])
    step = HardGatedStep(LevelGated(None, signed))
    found, _ = scan(step, Projection(x, w, b), u, HardGatedState(*zeros(1)), params)
    low = -1.0 if signed else 0.0
    expected, _ = by_hand(
        x.tolist(), w.tolist(), u.tolist(), b.tolist(), keep.tolist(),
        lambda a, j: clip(a, low * gam[j].item(), gam[j].item()),
        lambda a, j: gate(a, threshold[j].item(), None), lambda acc: acc,
    )  # fmt: skip
    torch.testing.assert_close(found, expected)


@dataclass(frozen=True)
class SmoothStep:
    """The current itself goes out, so that nothing is rounded."""

    body: object
    output_is_state = True

    def __call__(self, a, state, params):
        h = self.body(a, state.h, params)
        return h, HardGatedState(h)


def test_gradients_of_the_smooth_part():
    torch.manual_seed(0)
    leaves = [double(3, B, I), double(2 * H, I), double(2 * H), double(2 * H, H) / 2, double(B, H), double(B, H)]

    def run(x, w, b, u, h, keep):
        params = GatedParams(torch.ones(1, 1).double(), keep)
        output, last = scan(SmoothStep(Gated()), Projection(x, w, b), u, HardGatedState(h), params)
        return output, last.h

    assert torch.autograd.gradcheck(run, tuple(v.requires_grad_() for v in leaves), eps=1e-6, atol=1e-7)


def test_gradients_of_the_hard_form_between_its_kinks():
    torch.manual_seed(1)
    a, h = double(B, 2 * H) / 4, double(B, H)
    params = [torch.full((1, H), 4.0).double(), torch.full((1, H), 3.0).double()]
    leaves = [v.requires_grad_() for v in (a, h, *params)]
    one = torch.ones(1, 1).double()

    def run(a, h, threshold, gam):
        return LevelGated(None, True)(a, h, LevelParams(one, one, threshold, gam))

    assert torch.autograd.gradcheck(run, tuple(leaves), eps=1e-6, atol=1e-7)


def test_the_gate_at_t_levels_has_the_gradient_of_its_line_at_the_level_it_took():
    """z is a level in the product with h and c, and a line in its own slope (straight through)."""
    a = torch.tensor([[0.3, 0.7]], dtype=torch.float64, requires_grad=True)  # a_z, a_c
    one, threshold = torch.ones(1, 1).double(), torch.full((1, 1), 2.0).double()
    h = LevelGated(2)(a, torch.full((1, 1), 0.25).double(), LevelParams(one, one, threshold, one))
    z, c, current = 0.5, 0.7, 0.25  # Q_2(0.65) = 1/2
    assert h.item() == pytest.approx((1 - z) * c + z * current)
    grad = torch.autograd.grad(h, a)[0]
    assert grad.tolist() == [[pytest.approx((current - c) / 2), pytest.approx(1 - z)]]
