"""Neurons with graded spikes: T micro-steps of a plain neuron, what is lost, and how errors come back."""

import pytest
import torch

from spikeseq import nn as snn
from spikeseq.errors import ConfigError
from spikeseq.ops.cells.graded_lif import GradedLIFStep
from spikeseq.ops.neuron import LIFParams, LIFState
from spikeseq.ops.reference import scan_reference
from spikeseq.ops.scan import scan

L, B, H = 9, 3, 5


def micro_steps(current, v, threshold, leak, levels, gate):
    """An element, its current in the first of T micro-steps; unit spikes of V / T from half of that; gates start at V / 2."""
    v, unit, sent = leak * v + current, threshold / levels, 0
    potential = v + threshold / 2 if gate else v
    for _ in range(levels):
        if potential >= unit / 2:
            spike = 1
        elif potential <= -unit / 2 and not gate:
            spike = -1
        else:
            spike = 0
        sent, potential = sent + spike, potential - spike * unit
    return sent / levels, potential


@pytest.mark.parametrize("levels", [1, 2, 4, 16])
@pytest.mark.parametrize("gate", [False, True])
def test_it_sends_what_micro_steps_of_a_plain_neuron_send(levels, gate):
    torch.manual_seed(levels)
    drive = 3 * torch.randn(
        L, B, H, dtype=torch.float64
    )  # no ties: at one a neuron would send a spike and take it back
    threshold = torch.randint(1, 9, (1, H), dtype=torch.float64) / 2
    leak = torch.tensor([[0.0, 0.5, 0.75, 1.0, 0.25]], dtype=torch.float64)
    start = LIFState(torch.zeros(B, H, dtype=torch.float64))
    spikes, end = scan(GradedLIFStep(levels, gate), drive, None, start, LIFParams(threshold, leak))
    for b in range(B):
        for h in range(H):
            v, V = 0.0, float(threshold[0, h])
            for n in range(L):
                sent, v = micro_steps(float(drive[n, b, h]), v, V, float(leak[0, h]), levels, gate)
                assert float(spikes[n, b, h]) == sent
            assert float(end.v[b, h]) == pytest.approx(v, abs=1e-12)  # T subtractions in place of one
    assert spikes.unique().numel() > (levels if gate else 2 * levels) * 0.8  # nearly every level occurs


def test_a_potential_half_a_unit_spike_away_is_sent():
    u = torch.tensor([[-1.25, -0.75, -0.25, 0.25, 0.75, 1.25]], dtype=torch.float64)
    zero, one = LIFState(torch.zeros(1, 6, dtype=torch.float64)), LIFParams(torch.ones(1, 1), torch.zeros(1, 1))
    assert GradedLIFStep(2)(u, zero, one)[0].tolist() == [[-1, -1, -0.5, 0.5, 1, 1]]
    assert GradedLIFStep(2, True)(u, zero, one)[0].tolist() == [[0, 0, 0.5, 1, 1, 1]]  # floor(T (u + 1/2) + 1/2)


def test_without_leak_only_the_last_residue_is_missing():
    torch.manual_seed(0)
    drive = torch.randint(-16, 17, (50, 1, 4), dtype=torch.float64) / 16
    start = LIFState(torch.zeros(1, 4, dtype=torch.float64))
    one = torch.ones(1, 1, dtype=torch.float64)
    spikes, end = scan(GradedLIFStep(2), drive, None, start, LIFParams(2 * one, one))
    assert torch.equal((2 * spikes).sum(0) + end.v, drive.sum(0))
    assert end.v.abs().max() <= 0.5  # half a unit spike, V / 2 T


@pytest.mark.parametrize("gate", [False, True])
def test_errors_come_back_through_the_line_between_the_limits(gate):
    current = torch.tensor([[-3.0, -1.0, 0.2, 0.9, 5.0]], dtype=torch.float64, requires_grad=True)
    threshold = torch.full((1, 5), 2.0, dtype=torch.float64, requires_grad=True)
    step, zero = GradedLIFStep(4, gate), LIFState(torch.zeros(1, 5, dtype=torch.float64))
    spikes, end = step(current, zero, LIFParams(threshold, torch.zeros(1, 1, dtype=torch.float64)))
    slope, range_slope = torch.autograd.grad(spikes.sum(), [current, threshold], retain_graph=True)
    inside = torch.tensor([[0.0, 1, 1, 1, 0]], dtype=torch.float64)
    torch.testing.assert_close(slope, inside / 2)
    torch.testing.assert_close(range_slope, -inside * current.detach() / 4)  # d clip(v / V) / dV
    kept, told = torch.autograd.grad(end.v.sum(), [current, threshold])
    torch.testing.assert_close(kept, torch.ones_like(kept))  # the reset carries no error
    torch.testing.assert_close(told, -(spikes.detach() - (0.5 if gate else 0.0)))


@pytest.mark.parametrize("gate", [False, True])
def test_the_engine_equals_the_plain_loop_with_every_gradient(gate):
    torch.manual_seed(4)
    drive = torch.randn(L, B, H, dtype=torch.float64, requires_grad=True)
    v = torch.randn(B, H, dtype=torch.float64, requires_grad=True)
    threshold = (torch.rand(1, H, dtype=torch.float64) + 0.5).requires_grad_()
    leak = torch.rand(1, H, dtype=torch.float64).requires_grad_()
    weights = torch.randn(L, B, H, dtype=torch.float64), torch.randn(B, H, dtype=torch.float64)
    mask = (torch.arange(L)[:, None] < torch.tensor([9, 4, 1])).unsqueeze(-1)
    found = []
    for run in (scan, scan_reference):
        spikes, end = run(GradedLIFStep(2, gate), drive, None, LIFState(v), LIFParams(threshold, leak), mask)
        spikes = torch.where(mask, spikes, 0.0)
        loss = (spikes * weights[0]).sum() + (end.v * weights[1]).sum()
        found.append((spikes, end.v, *torch.autograd.grad(loss, [drive, v, threshold, leak])))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)  # sums of the gradient in another order


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"levels": 3}, "levels=3: T must be a power of two"), ({"levels": True}, "levels=True"), ({"leak": None}, "leak=None"),
        ({"leak": "0.5"}, "leak='0.5': pass a finite number"), ({"leak": 1.5}, "leak=1.5"), ({"gate": "no"}, "gate='no'"),
        ({"threshold": float("inf")}, "threshold=inf"), ({"threshold": 0.0}, "threshold=0.0"),
        ({"threshold": True}, "threshold=True"), ({"learn_leak": "no"}, "learn_leak='no'"),
        ({"learn_threshold": 1}, "learn_threshold=1"),
        ({"dyadic_leak": "no"}, "dyadic_leak='no'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [snn.GradedLIF, snn.GradedLIFCell])
def test_options_that_cannot_work(kind, options, words):
    with pytest.raises(ConfigError, match=words):
        kind(5, **options)


def test_the_cell_is_the_layer_element_by_element():
    torch.manual_seed(7)
    layer, cell = snn.GradedLIF(H, leak=0.75, threshold=1.0), snn.GradedLIFCell(H, leak=0.75, threshold=1.0)
    x, state = torch.randn(L, B, H), None
    for n, whole in enumerate(layer(x)[0]):
        spikes, state = cell(x[n], state)
        assert torch.equal(spikes, whole)
    assert torch.equal(state.v, layer(x)[1].v)
