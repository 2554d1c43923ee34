"""IF and LIF: one step by hand, the staircase against simulation, and what the optimal shift minimises."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeseq.errors import ConfigError
from spikeseq.ops.neuron import LIFParams, LIFState, dyadic_leak, lif_step, optimal_shift, staircase
from spikeseq.ops.spike import Rectangle, level_count

STEPS = range(1, 9)
LEAKS = (1.0, 0.95, 0.9, 0.7, 0.5, 0.2)
leaks = st.one_of(st.just(1.0), st.floats(0.05, 1.0))
thresholds = st.floats(0.1, 10.0)


def double(value):
    return torch.as_tensor(value, dtype=torch.float64)


def count(z, leak, threshold, steps):
    """Spikes after ``steps`` time steps under the constant drive ``z``, by simulation."""
    state, params = LIFState(torch.zeros_like(z)), LIFParams(double(threshold), double(leak))
    total = torch.zeros_like(z)
    for _ in range(steps):
        spikes, state = lif_step(z, state, params, Rectangle())
        total += spikes
    return total


def uniform(high, cells=40000):
    return high * (torch.arange(cells, dtype=torch.float64) + 0.5) / cells


def test_one_step_by_hand():
    params = LIFParams(torch.tensor(1.0), torch.tensor(0.5))
    spikes, state = lif_step(
        torch.tensor([0.25, 0.5, 2.0]), LIFState(torch.tensor([1.0, 1.0, 1.0])), params, Rectangle()
    )
    assert spikes.tolist() == [0, 1, 1]  # 0.75, 1.0 (a tie fires), 2.5
    assert state.v.tolist() == [0.75, 0.0, 1.5]  # reset by subtraction: what is above the threshold stays


def test_reset_to_zero_forgets_what_is_above_the_threshold():
    params = LIFParams(torch.tensor(1.0), torch.tensor(0.5))
    v = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)
    spikes, state = lif_step(torch.tensor([0.25, 0.5, 2.0]), LIFState(v), params, Rectangle(), "zero")
    assert spikes.tolist() == [0, 1, 1]
    assert state.v.tolist() == [0.75, 0.0, 0.0]
    assert torch.autograd.grad(state.v.sum(), v)[0].tolist() == [0.5, 0, 0]  # nothing through the spike


def test_dyadic_leaks_are_the_nearest_by_the_logarithm_of_the_decay():
    levels = [1 - 2.0**-k for k in range(9)] + [1.0]
    assert dyadic_leak(torch.tensor(levels)).tolist() == levels
    for low, high in itertools.pairwise(range(9)):  # the middle between k and k + 1 is a decay of 2^-(k + 1/2)
        edge = 1 - 2.0 ** -(low + 0.5)
        assert dyadic_leak(double([edge - 1e-9, edge + 1e-9])).tolist() == [levels[low], levels[high]]
    assert dyadic_leak(double([1 - 2.0**-8.5 + 1e-9, -0.5, 1.5])).tolist() == [1.0, 0.0, 1.0]
    leak = torch.tensor([0.3, 0.97], requires_grad=True)
    assert torch.autograd.grad(dyadic_leak(leak).sum(), leak)[0].tolist() == [1, 1]


def test_the_reset_carries_no_error_back():
    v = torch.tensor([0.9], requires_grad=True)
    params = LIFParams(torch.tensor(1.0), torch.tensor(0.5))
    _, state = lif_step(torch.tensor([0.6]), LIFState(v), params, Rectangle())
    assert torch.autograd.grad(state.v.sum(), v)[0].item() == 0.5  # the leak, nothing through the spike


def test_the_slope_is_in_units_of_the_threshold():
    current = torch.tensor([1.0, 2.0, 3.1], requires_grad=True)  # u = (v - 2) / 2
    params = LIFParams(torch.tensor(2.0), torch.tensor(1.0))
    spikes, _ = lif_step(current, LIFState(torch.zeros(3)), params, Rectangle())
    assert torch.autograd.grad(spikes.sum(), current)[0].tolist() == [0.5, 0.5, 0.0]


def test_one_shifted_step_has_the_slope_of_the_clipped_line():
    z, threshold = (uniform(3.0, 301) - 1).requires_grad_(), double(1.7)
    spikes, _ = lif_step(z + threshold / 2, LIFState(torch.zeros_like(z)), LIFParams(threshold, double(1)), Rectangle())
    found = torch.autograd.grad(spikes.sum(), z)[0]
    torch.testing.assert_close(found, torch.autograd.grad(torch.clamp(z / threshold, 0, 1).sum(), z)[0])


@given(st.lists(st.floats(-2, 4), min_size=1, max_size=12), thresholds)
def test_if_is_lif_at_leak_1(drives, threshold):
    state, v = LIFState(double([0.0])), 0.0
    for z in drives:
        spikes, state = lif_step(double([z]), state, LIFParams(double(threshold), double(1.0)), Rectangle())
        v += z
        fired = v >= threshold
        v -= threshold * fired
        assert (spikes.item(), state.v.item()) == (fired, v)


@settings(max_examples=60)
@given(st.integers(1, 8), leaks, thresholds)
def test_the_count_reaches_k_exactly_at_theta_k(steps, leak, threshold):
    theta = staircase(double(leak), steps, threshold)
    k = torch.arange(1, steps + 1, dtype=torch.float64)
    assert (count(theta * (1 + 1e-9), leak, threshold, steps) >= k).all()
    assert (count(theta * (1 - 1e-9), leak, threshold, steps) < k).all()


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("leak", LEAKS)
def test_staircase_against_simulation_over_the_whole_range(steps, leak):
    z = 1.5 * uniform(2.0, 4001) - 0.5  # 4001 cells: no point on a switch
    steps_passed = (z[:, None] >= staircase(double(leak), steps, 1.5)).sum(1)
    assert torch.equal(count(z, leak, 1.5, steps), steps_passed.double())


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_a_drive_on_the_switch_counts(steps):
    theta = staircase(double(1.0), steps, 2.0)  # k V / T, exact in binary
    assert theta.tolist() == [2.0 * k / steps for k in range(1, steps + 1)]
    assert count(theta, 1.0, 2.0, steps).tolist() == list(range(1, steps + 1))
    assert count(torch.nextafter(theta, double(0.0)), 1.0, 2.0, steps).tolist() == list(range(steps))


@given(leaks, thresholds)
def test_closed_forms_of_the_thresholds(lam, v):
    g3, g4 = 1 + lam + lam**2, 1 + lam + lam**2 + lam**3
    forms = {
        1: [v],
        2: [v / (1 + lam), v],
        3: [v / g3, v * (1 + lam) / g3, v],
        4: [v / g4, v * (1 + lam**2) / g4, v * g3 / g4, v],
    }
    for steps, expected in forms.items():
        assert staircase(double(lam), steps, v).tolist() == pytest.approx(expected, rel=1e-12)


@given(leaks, thresholds)
def test_closed_forms_of_the_shift(lam, v):
    g3, g4 = 1 + lam + lam**2, 1 + lam + lam**2 + lam**3
    forms = [v / 2, v / (2 * (1 + lam)), v * (3 + lam - lam**2) / (6 * g3), v * (2 + lam**2 - lam**3) / (4 * g4)]
    for steps, expected in enumerate(forms, 1):
        assert optimal_shift(double(lam), steps, v).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("steps", STEPS)
def test_the_shift_of_if_is_half_a_level(steps):
    assert optimal_shift(double(1.0), steps, 3.0).item() == pytest.approx(3.0 / (2 * steps))
    z = uniform(3.0, 40001)
    assert torch.equal(count(z + 3.0 / (2 * steps), 1.0, 3.0, steps), level_count(z / 3.0, steps))


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("leak", LEAKS)
def test_the_shift_makes_the_mean_error_zero_and_the_squared_error_smallest(steps, leak):
    threshold = 1.5
    z, best = uniform(threshold), optimal_shift(double(leak), steps, threshold).item()

    def error(shift):
        return count(z + shift, leak, threshold, steps) / steps - z / threshold

    assert abs(error(best).mean().item()) < 1e-4
    smallest = error(best).square().mean().item()
    for offset in (0.2, 0.05, 0.01):
        for shift in (best - offset, best + offset):
            # theory: the squared error grows by at least .. the square of the mean error; strictly, seen on the grid
            assert error(shift).square().mean().item() > smallest
            assert abs(error(shift).mean().item()) > 1e-3


@pytest.mark.parametrize("steps", STEPS)
def test_squared_error_of_if_with_and_without_the_shift(steps):
    z = uniform(1.0)

    def error(shift):
        return (count(z + shift, 1.0, 1.0, steps) / steps - z).square().mean().item()

    assert error(0.0) == pytest.approx(1 / (3 * steps**2), rel=1e-3)
    assert error(1 / (2 * steps)) == pytest.approx(1 / (12 * steps**2), rel=1e-3)


@pytest.mark.parametrize(("leak", "residual"), [(0.9, 0.0055), (0.7, 0.0081), (0.5, 0.0156)])
def test_residual_squared_error_of_lif_at_t_4(leak, residual):
    z = uniform(1.0)
    found = (count(z + optimal_shift(double(leak), 4), leak, 1.0, 4) / 4 - z).square().mean().item()
    assert found == pytest.approx(residual, abs=6e-5)


def test_the_shift_is_differentiable_and_keeps_the_shape_of_the_leak():
    leak = (torch.rand(3, 1, 5, dtype=torch.float64) * 0.8 + 0.1).requires_grad_()
    threshold = (torch.rand(3, 1, 5, dtype=torch.float64) + 0.5).requires_grad_()
    assert staircase(leak, 4, threshold).shape == (4, 3, 1, 5)
    assert optimal_shift(leak, 4, threshold).shape == (3, 1, 5)
    assert torch.autograd.gradcheck(lambda a, b: optimal_shift(a, 4, b), (leak, threshold))


def test_no_leak_at_all_is_the_limit():
    assert staircase(double(0.0), 4, 1.0).tolist() == [1.0] * 4  # every step alone must reach the threshold
    assert math.isclose(optimal_shift(0.0, 4).item(), 0.5)


def test_a_staircase_needs_a_step():
    with pytest.raises(ConfigError, match=r"time_steps=0: .* pass 1 or more"):
        staircase(1.0, 0)
