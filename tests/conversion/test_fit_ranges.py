"""Fitted ranges: the least squared error, against closed forms and against a search written here."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.conversion.calibrate import fit_clips, fit_thresholds
from spikeseq.ops.spike import hard_gate
from spikeseq.shapes import spaced


def staircase(u: float, levels: int | None) -> float:
    u = min(1.0, max(0.0, u))
    return u if levels is None else min(levels, math.floor(levels * u + 0.5)) / levels


def gate_error(a: list[float], width: float, levels: int | None, target) -> float:
    return sum((staircase(v / width + 0.5, levels) - target(v)) ** 2 for v in a) / len(a)


def sigmoid(v: float) -> float:
    return 1 / (1 + math.exp(-v))


def test_two_steps_of_a_sigmoid_in_closed_form():
    """Levels 0, 1/2, 1 switch best where sigma(a) = 1/4 and 3/4, a = +-ln 3; the staircase switches at +-V/4."""
    a = torch.linspace(-4, 4, 4001, dtype=torch.float64).unsqueeze(1)
    width = float(fit_thresholds(a, torch.sigmoid, 2))
    assert width == pytest.approx(4 * math.log(3), abs=0.051)  # the candidates are 0.1 apart


def test_the_closed_form_does_not_depend_on_the_distribution():
    """Each switch is best on its own, so any symmetric distribution that reaches it gives the same V."""
    torch.manual_seed(0)
    for scale in (1.0, 3.0):
        width = float(fit_thresholds(scale * torch.randn(20000, 1), torch.sigmoid, 2))
        assert width == pytest.approx(4 * math.log(3), abs=0.16)


@pytest.mark.parametrize("levels", [None, 2, 4, 8])
@pytest.mark.parametrize("spread", [0.5, 2.0, 5.0])
def test_no_candidate_is_better(levels, spread):
    torch.manual_seed(1)
    a = spread * torch.randn(300, 3) + torch.tensor([0.0, 1.0, -2.0])
    found = fit_thresholds(a, torch.sigmoid, levels)
    assert found.shape == (3,)
    for channel in range(3):
        values = a[:, channel].tolist()
        errors = [gate_error(values, 1 + 0.1 * k, levels, sigmoid) for k in range(91)]
        assert gate_error(values, float(found[channel]), levels, sigmoid) <= min(errors) + 1e-6


@given(st.integers(0, 1000), st.sampled_from([1, 2, 4]))
def test_no_candidate_is_better_on_a_handful_of_values(seed, levels):
    """Few values leave long ties and separate minima; the middle of the ties must still be a best one."""
    a = 4 * torch.randn(3, 2, generator=torch.Generator().manual_seed(seed))
    found = fit_thresholds(a, torch.sigmoid, levels)
    for channel in range(2):
        values = a[:, channel].tolist()
        errors = [gate_error(values, 1 + 0.1 * k, levels, sigmoid) for k in range(91)]
        assert gate_error(values, float(found[channel]), levels, sigmoid) <= min(errors) + 1e-6


def test_a_clipped_line_is_found_again():
    """A target that is one of the candidates' own forms has error 0 at its width only."""
    a = torch.linspace(-6, 6, 500).unsqueeze(1)
    for width in (2.0, 3.7, 8.0):
        assert float(fit_thresholds(a, lambda v, w=width: (v / w + 0.5).clamp(0, 1), None)) == pytest.approx(width)


def test_clips_in_closed_form_and_by_search():
    assert float(fit_clips(torch.tensor([[10.0], [-10.0], [9.0]]))) == pytest.approx(1.0)  # tanh is +-1 out there
    one = torch.full((50, 1), 1.0)
    assert float(fit_clips(one)) == pytest.approx(math.tanh(1), abs=0.0101)  # one value: clip it to its tanh
    torch.manual_seed(2)
    a = torch.randn(300, 2) * torch.tensor([0.4, 3.0])
    found = fit_clips(a)
    for channel in range(2):
        values = a[:, channel].tolist()

        def error(g, values=values):
            return sum((max(-g, min(g, v)) - math.tanh(v)) ** 2 for v in values)

        assert error(float(found[channel])) <= min(error(0.1 + 0.02 * k) for k in range(96)) + 1e-4
    assert found[0] < found[1] <= 1.001


def test_channels_do_not_disturb_each_other():
    torch.manual_seed(3)
    a = 3 * torch.randn(200, 4)
    together, clips = fit_thresholds(a, torch.sigmoid, 4), fit_clips(a)
    for channel in range(4):
        alone = a[:, channel : channel + 1]
        assert together[channel] == fit_thresholds(alone, torch.sigmoid, 4)[0]
        assert clips[channel] == fit_clips(alone)[0]


def test_precision_of_the_data_is_kept():
    a = torch.randn(50, 2, dtype=torch.float64)
    assert fit_thresholds(a, torch.sigmoid, 2).dtype == torch.float64
    assert fit_clips(a).dtype == torch.float64


@pytest.mark.parametrize("levels", [1, 2])
def test_thresholds_without_the_shift_are_the_best_without_it(levels):
    """Not those of the staircase with it."""
    torch.manual_seed(0)
    a = 2 * torch.randn(4000, 1)

    def error(width, shift):
        return float((hard_gate(a, width, levels, shift) - torch.sigmoid(a)).square().mean())

    best = {shift: float(fit_thresholds(a, torch.sigmoid, levels, shift)) for shift in (0.0, 0.5)}
    assert error(best[0.0], 0.0) < 0.9 * error(best[0.5], 0.0)
    grid = torch.linspace(1, 10, 200)
    assert error(best[0.0], 0.0) <= 1.02 * min(error(float(width), 0.0) for width in grid)


@pytest.mark.parametrize(
    ("n", "most"), [(1, 1), (5, 3), (5, 9), (1 << 24, 65536), ((1 << 24) + 3, 65536), (10**9 + 7, 1000)]
)
def test_spaced_rows(n, most):
    """Whole numbers: a float32 ramp rounds its end up to n from 2^24 on."""
    rows = spaced(n, most)
    assert len(rows) == min(n, most)
    assert (int(rows[0]), int(rows[-1])) == (0, n - 1 if len(rows) > 1 else 0)
    assert (rows.diff() >= 1).all()
