"""Sigma-delta codes: levels, what is left over, gradients and the tracked range."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.errors import ConfigError
from spikeseq.ops.cells.current import CurrentState, CurrentStep, Identity, ReachParams, TrackedState, TrackedStep
from spikeseq.ops.reference import scan_reference
from spikeseq.ops.scan import scan
from spikeseq.ops.sigma_delta import SigmaDelta, sigma_delta, tracked_range

M = 2.5
ONE = torch.full((1, 1), M, dtype=torch.float64)


def levels(quantizer, low=-1.2 * M):
    """What a fine grid of accumulator values is sent as, in units of one level."""
    acc = torch.linspace(low, 1.2 * M, 20001, dtype=torch.float64)
    y = quantizer.quantize(acc, ONE).squeeze(0)
    k = y / quantizer.unit(ONE).item()
    assert (k - k.round()).abs().max() < 1e-9
    return acc, sorted(set(k.round().long().tolist()))


@pytest.mark.parametrize(
    ("bits", "dead", "expected"),
    [
        (6, 3, [*range(-31, -3), 0, *range(4, 32)]),  # published: 0, +-4 .. +-31
        (3, 0, [*range(-3, 4)]),
        (5, 0, [*range(-15, 16)]),
        (1, 0, [0]),  # the fault of the published form
    ],
)
def test_levels_of_the_published_form(bits, dead, expected):
    quantizer = sigma_delta(bits, dead, "trunc", "signed")
    acc, found = levels(quantizer)
    assert found == expected
    # k = trunc(s acc) with s = n (1 - 1e-4) / M, in plain Python
    s = 2 ** (bits - 1) * (1 - 1e-4) / M
    for value, y in zip(acc[::97].tolist(), quantizer.quantize(acc, ONE).squeeze(0)[::97].tolist(), strict=True):
        k = math.trunc(s * max(-M, min(M, value)))
        assert math.isclose(y, 0 if abs(k) <= dead else k / s, abs_tol=1e-12)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("rounding", ["trunc", "nearest"])
@pytest.mark.parametrize("kind", ["signed", "unsigned"])
def test_levels_fit_into_their_bits(bits, rounding, kind):
    _, found = levels(sigma_delta(bits, 0, rounding, kind))
    most = 2 ** (bits - 1) - 1 if kind == "signed" else 2**bits - 1
    if rounding == "nearest" and kind == "signed" and bits == 1:
        most = 1  # three levels
    assert found == [*range(-most if kind == "signed" else 0, most + 1)]


def test_one_bit_of_the_improved_form_fires():
    acc, found = levels(sigma_delta(1, 0, "nearest", "unsigned"))
    assert found == [0, 1]
    y = sigma_delta(1, 0, "nearest", "unsigned").quantize(acc, ONE).squeeze(0)
    assert y.unique().tolist() == [0, M]
    assert acc[y > 0].min().item() == pytest.approx(M / 2, abs=1e-3)


def test_trunc_has_four_times_the_squared_error_of_nearest():
    acc = torch.linspace(0, M, 200001, dtype=torch.float64)
    errors = []
    for rounding in ("trunc", "nearest"):
        y = SigmaDelta(64, 0, rounding).quantize(acc, ONE).squeeze(0)
        errors.append((y - acc).square().mean())
    assert (errors[0] / errors[1]).item() == pytest.approx(4, rel=0.02)


signal = st.lists(st.floats(0, M), min_size=1, max_size=40)


@given(signal, st.integers(1, 8), st.sampled_from(["trunc", "nearest"]), st.sampled_from(["signed", "unsigned"]))
def test_the_sum_of_what_is_sent_is_the_sum_of_the_signal_but_for_the_residual(values, bits, rounding, kind):
    """|sum y - sum v| is what is left, and that is at most one level (trunc) or half of one (nearest) for v in [0, M]."""
    quantizer = sigma_delta(bits, 0, rounding, kind)
    residual, sent = torch.zeros(1, 1, dtype=torch.float64), 0.0
    for v in values:
        y, residual = quantizer(torch.tensor([[v]], dtype=torch.float64), residual, ONE)
        sent += y.item()
    assert sent - sum(values) == pytest.approx(-residual.item(), abs=1e-9)
    if quantizer.largest:  # else nothing is ever sent
        unit = quantizer.unit(ONE).item()
        # a residual below 0 lowers the next value, one above it may carry a value beyond the last level
        bound = unit / 2 if rounding == "nearest" else unit
        assert residual.item() >= -bound - 1e-9
        assert residual.item() <= bound + len(values) * (M - quantizer.largest * unit) + 1e-9


def test_a_value_above_the_range_piles_up():
    y, residual = sigma_delta(4, 0, "nearest", "unsigned")(torch.tensor([[4.0]]), torch.zeros(1, 1), torch.ones(1, 1))
    assert (y.item(), residual.item()) == (1.0, 3.0)


@pytest.mark.parametrize("rounding", ["trunc", "nearest"])
@pytest.mark.parametrize("signed", [True, False])
def test_the_gradient_passes_straight_through_inside_the_range(rounding, signed):
    quantizer = SigmaDelta(8, 2, rounding, signed)
    acc = torch.tensor([-9.0, -2.0, -0.1, 0.1, 1.3, 2.4, 2.6, 9.0], dtype=torch.float64, requires_grad=True)
    reach = ONE.clone().requires_grad_()
    y = quantizer.quantize(acc, reach).squeeze(0)
    inside = (acc.detach() < M) & (acc.detach() > (-M if signed else 0))
    grad, g_reach = torch.autograd.grad(y.sum(), [acc, reach])
    assert torch.equal(grad, inside.double())
    # of the step size: dQ/dM = q - u inside, q outside
    u, q = acc.detach() / M, y.detach() / M
    assert g_reach.item() == pytest.approx((q - u * inside).sum().item())


def moving_average(values, momentum=0.1):
    """The published estimate, one element at a time: bias-corrected, as in Adam."""
    average, out = 0.0, []
    for n, value in enumerate(values, 1):
        average = (1 - momentum) * average + momentum * value
        out.append(average / (1 - (1 - momentum) ** n))
    return out


def test_the_tracked_range_by_hand():
    """At each element: max |acc| over the rows that are there, before the clip, joins the average; then Q uses it."""
    torch.manual_seed(0)
    lengths, L, B, H = [6, 3, 5], 6, 3, 4
    x = torch.randn(L, B, H, dtype=torch.float64).exp()
    mask = (torch.arange(L)[:, None] < torch.tensor(lengths)).unsqueeze(-1)
    quantizer = sigma_delta(4, 1, "trunc", "signed")
    state = [torch.zeros(B, w, dtype=torch.float64) for w in (H, H, H, 1, 1)]
    for fill in (0.0, 1e6):
        noisy = torch.where(mask, x, torch.full_like(x, fill))
        step = TrackedStep(Identity(), quantizer)
        output, last = scan(step, noisy, None, TrackedState(*state), ReachParams(ONE), mask)
        maxima, expected = [], torch.zeros(L, B, H, dtype=torch.float64)
        residual = torch.zeros(B, H, dtype=torch.float64)
        for n in range(L):
            acc = residual + x[n]
            there = [b for b in range(B) if n < lengths[b]]
            maxima.append(max(abs(v) for b in there for v in acc[b].tolist()))
            most = moving_average(maxima)[-1]
            s = 8 * (1 - 1e-4) / most
            for b in there:
                for j in range(H):
                    k = math.trunc(s * max(-most, min(most, acc[b, j].item())))
                    expected[n, b, j] = 0 if abs(k) <= 1 else k / s
                residual[b] = acc[b] - expected[n, b]
        torch.testing.assert_close(output, expected)
        assert tracked_range(last.peak[0], last.weight[0]).item() == pytest.approx(moving_average(maxima)[-1])
    reference, _ = scan_reference(step, x, None, TrackedState(*state), ReachParams(ONE), mask)
    torch.testing.assert_close(reference, expected)


def test_the_tracked_range_carries_no_gradient():
    """As published, M is a constant for the backward pass: the same gradient as with that M fixed."""
    x = torch.rand(1, 2, 3, dtype=torch.float64, requires_grad=True)
    zeros = [torch.zeros(2, w, dtype=torch.float64) for w in (3, 3, 3, 1, 1)]
    quantizer = sigma_delta(3, 0, "trunc", "signed")
    tracked, last = scan(TrackedStep(Identity(), quantizer), x, None, TrackedState(*zeros), ReachParams(ONE))
    reach = (last.peak / last.weight).detach()
    fixed, _ = scan(CurrentStep(Identity(), quantizer), x, None, CurrentState(*zeros[:3]), ReachParams(reach[:1]))
    assert torch.equal(tracked, fixed)
    weight = torch.rand_like(x)
    found, expected = (torch.autograd.grad((y * weight).sum(), x)[0] for y in (tracked, fixed))
    assert torch.equal(found, expected)


def test_a_range_of_nothing_and_of_silence():
    one = torch.zeros(1)
    assert tracked_range(one, one).item() == 1  # nothing seen
    assert 0 < tracked_range(one, torch.ones(1)).item() < 1e-3  # silence divides nothing by 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((0, 0, "trunc", "signed"), "bits=0: pass a whole number from 1 to 8"),
        ((9, 0, "trunc", "signed"), "bits=9"),
        ((True, 0, "trunc", "signed"), "bits=True"),
        ((6, 0, "round", "signed"), "rounding='round': .*valid: nearest, trunc"),
        ((6, 0, "trunc", "sign"), "levels='sign': did you mean 'signed'"),
        ((3, 3, "trunc", "signed"), r"threshold_levels=3: .* at most 3; pass a whole number from 0 to 2"),
        ((1, 1, "trunc", "signed"), "threshold_levels=1: .* at most 0; pass a whole number from 0 to 0"),
        ((6, -1, "trunc", "signed"), "threshold_levels=-1"),
    ],
)
def test_options_that_cannot_work(options, message):
    with pytest.raises(ConfigError, match=message):
        sigma_delta(*options)
