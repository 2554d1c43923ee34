"""Rounding, counting and surrogate functions: exact values, chosen slopes, and the errors that the shift leaves."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.ops.spike import (
    SURROGATES,
    Arctan,
    FastSigmoid,
    Rectangle,
    Triangle,
    clamp_through,
    level_count,
    quantize_unit,
    round_half_away,
    round_through,
    straight_through,
)

STEPS = (1, 2, 3, 4, 8)
finite = st.floats(-(2.0**100), 2.0**100, width=32)
dyadic = st.one_of(st.integers(-64, 64).map(lambda k: k + 0.5), st.integers(-4096, 4096).map(lambda k: k / 128))


def slope(function, u):
    u = u.clone().requires_grad_()
    return torch.autograd.grad(function(u).sum(), u)[0]


def uniform(low, high, count=24000):
    """Midpoints of ``count`` equal cells: means over them are integrals of a uniform drive."""
    return low + (high - low) * (torch.arange(count, dtype=torch.float64) + 0.5) / count


@given(finite, finite)
def test_straight_through_has_the_exact_value_and_the_smooth_slope(exact, smooth):
    e, s = torch.tensor(exact, requires_grad=True), torch.tensor(smooth, requires_grad=True)
    value = straight_through(e, 3 * s)
    assert value.item() == e.item()
    assert torch.autograd.grad(value, [e, s], allow_unused=True) == (None, torch.tensor(3.0))


@given(dyadic)
def test_rounding_is_exact_half_away_from_zero(u):
    expected = float(Decimal(u).quantize(Decimal(1), rounding=ROUND_HALF_UP))  # of the decimal module: away from zero
    for function in (round_half_away, round_through):
        assert function(torch.tensor(u, dtype=torch.float64)).item() == expected
        assert function(torch.tensor(-u, dtype=torch.float64)).item() == -expected


@pytest.mark.parametrize("steps", STEPS)
def test_the_odd_shift_gives_2t_plus_1_levels_and_no_shift_a_dead_zone(steps):
    u = uniform(-1, 1)
    levels = torch.unique(round_half_away(steps * u))
    assert levels.tolist() == list(range(-steps, steps + 1))
    assert (round_half_away(steps * u, 0.0)[u.abs() < 1 / steps] == 0).all()
    assert (round_half_away(steps * u)[(u.abs() < 1 / steps) & (u.abs() > 0.5 / steps)].abs() == 1).all()


@pytest.mark.parametrize("steps", STEPS)
def test_squared_error_of_the_signed_staircase(steps):
    u = uniform(-1, 1)

    def error(shift, constant=0.0):
        return (round_half_away(steps * (u + constant), shift).clamp(-steps, steps) / steps - u).square().mean().item()

    assert error(0.5) == pytest.approx(1 / (12 * steps**2), rel=1e-3)
    assert error(0.0) == pytest.approx(1 / (3 * steps**2), rel=1e-3)
    assert min(error(s) for s in (0.3, 0.4, 0.45, 0.55, 0.6)) > error(0.5)
    if steps > 1:  # a shift that is the same for both signs hardly helps
        assert min(error(0.0, d / (8 * steps)) for d in range(-8, 9)) > 0.9 * error(0.0)


@pytest.mark.parametrize("steps", STEPS)
def test_level_count_is_clipped_and_switches_at_the_midpoints(steps):
    k = torch.arange(1, steps + 1, dtype=torch.float64)
    at = (k - 0.5) / steps
    assert level_count(at + 1e-12, steps).tolist() == k.tolist()
    assert level_count(at - 1e-12, steps).tolist() == (k - 1).tolist()
    assert level_count(k / steps * (1 + 1e-15), steps, 0.0).tolist() == k.tolist()
    assert level_count(torch.tensor([-9.0, -1e-9, 1.0, 9.0]), steps).tolist() == [0, 0, steps, steps]


def test_half_a_level_is_a_tie_that_counts():
    assert level_count(torch.tensor([0.25, 0.75]), 2).tolist() == [1, 2]


@pytest.mark.parametrize("steps", STEPS)
def test_quantize_unit_has_the_slope_of_the_clip(steps):
    u = torch.tensor([-0.3, 0.1, 0.49, 0.93, 1.2], dtype=torch.float64)
    assert torch.equal(quantize_unit(u, steps), level_count(u, steps) / steps)
    assert slope(lambda v: quantize_unit(v, steps), u).tolist() == [0, 1, 1, 1, 0]
    assert slope(round_through, u).tolist() == [1] * 5


@pytest.mark.parametrize("surrogate", [*(make() for make in SURROGATES.values()), Rectangle(0.25)])
def test_a_surrogate_is_the_heaviside_step_and_fires_at_zero(surrogate):
    u = torch.tensor([-3.0, -1e-30, -0.0, 0.0, 1e-30, 3.0])
    assert surrogate(u).tolist() == [0, 0, 1, 1, 1, 1]
    assert surrogate(u).dtype == u.dtype
    assert surrogate(u.double()).dtype == torch.float64


@pytest.mark.parametrize("width", [0.5, 1.0, 3.0])
def test_rectangle_slope(width):
    u = torch.tensor([-0.51, -0.49, 0.0, 0.49, 0.51], dtype=torch.float64) * width
    assert slope(Rectangle(width), u).tolist() == pytest.approx([0, 1 / width, 1 / width, 1 / width, 0])


@given(st.floats(-3, 3), st.sampled_from([0.3, 1.0]))
def test_triangle_slope(u, height):
    found = slope(Triangle(height), torch.tensor([u], dtype=torch.float64)).item()
    assert found == pytest.approx(height * max(0.0, 1 - abs(u)), abs=1e-12)


@pytest.mark.parametrize(
    ("surrogate", "stand_in"),
    [
        # slope 1 / (1 + k |u|)^2 is that of u / (1 + k |u|);  (w / 2) / (1 + (pi w u / 2)^2) of atan(pi w u / 2) / pi
        (FastSigmoid(4.0), lambda u: u / (1 + 4 * u.abs())),
        (Arctan(2.0), lambda u: torch.atan(torch.pi * u) / torch.pi),
        (Arctan(0.5), lambda u: torch.atan(torch.pi / 4 * u) / torch.pi),
    ],
)
def test_smooth_surrogates_have_the_slope_of_what_they_are_named_after(surrogate, stand_in):
    u = torch.linspace(-3, 3, 61, dtype=torch.float64)
    torch.testing.assert_close(slope(surrogate, u), slope(stand_in, u), rtol=1e-12, atol=0)


def test_a_parameter_that_left_its_range_can_come_back():
    value = torch.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    clamped = clamp_through(value, 0, 1)
    assert clamped.tolist() == [0, 0.5, 1]
    assert torch.autograd.grad(clamped.sum(), value)[0].tolist() == [1, 1, 1]
    assert clamp_through(value, 0).tolist() == [0, 0.5, 2]


@pytest.mark.parametrize("steps", STEPS)
def test_rectangles_of_the_t_switches_add_up_to_the_clipped_line(steps):
    threshold = 1.7
    z = uniform(-1, 3, 4001)  # no point on an edge
    switches = [lambda v, k=k: Rectangle()(steps * v / threshold - (k - 0.5)) for k in range(1, steps + 1)]
    total = sum(slope(switch, z) for switch in switches) / steps
    line = slope(lambda v: torch.clamp(v / threshold, 0, 1), z)
    torch.testing.assert_close(total, line, rtol=1e-12, atol=0)
    count = sum(switch(z) for switch in switches)
    assert torch.equal(count, level_count(z / threshold, steps))
