"""Shift normalisation by hand, ternary scores, graded spikes, and that both modes learn."""

import pytest
import torch

from spikeseq.errors import ConfigError
from spikeseq.nn.translation.attention import Attention, shift_weights
from spikeseq.nn.translation.graded import GradedLinear, graded, unit_spikes


def test_graded_spikes_by_hand():
    u = torch.tensor([-2.0, -0.9, -0.125, 0.1, 0.125, 0.4, 0.99, 3.0], requires_grad=True)
    found = graded(u, 4)
    assert found.tolist() == [-1, -1, -0.25, 0, 0.25, 0.5, 1, 1]
    found.sum().backward()
    assert u.grad.tolist() == [0, 1, 1, 1, 1, 1, 1, 0]
    assert graded(u, 1).tolist() == [-1, -1, 0, 0, 0, 0, 1, 1]


def test_graded_linear_multiplies_with_the_levels():
    torch.manual_seed(0)
    layer, x = GradedLinear(5, 3, 4), torch.randn(2, 5)
    torch.testing.assert_close(layer(x), graded(x, 4) @ layer.weight.t() + layer.bias)
    layer.levels = 0
    torch.testing.assert_close(layer(x), x @ layer.weight.t() + layer.bias)


def test_the_largest_graded_spike_is_a_setting_and_a_power_of_two():
    layer, x = GradedLinear(3, 1, 2, bias=False, reach=4.0), torch.tensor([[0.9, -1.0, 9.0], [3.1, -2.9, -9.0]])
    with torch.no_grad():
        layer.weight.fill_(1.0)
    assert layer(x).flatten().tolist() == [0 - 2 + 4, 4 - 2 - 4]  # steps of 2, half away from zero
    assert unit_spikes(x, 2, 4.0).tolist() == [[0, 1, 2], [2, 1, 2]]
    for wrong in (3.0, 0.0, -2.0, float("inf"), "4", True, 2.0**40):
        with pytest.raises(ConfigError, match=r"reach=.*(a power of two|a finite number)"):
            GradedLinear(3, 1, 2, reach=wrong)


@torch.no_grad()
def test_weights_are_powers_of_two_by_hand():
    scores = torch.tensor([[12.0, 9, 8, 4, -20, -4096]])
    # behind the best by 0, 3, 4, 8, 32, .. counts: m = 0, 0, 1, 2, 8; 1 + 1 + 1/2 + 1/4 = 2.75 needs two shifts
    assert shift_weights(scores).tolist() == [[0.25, 0.25, 0.125, 0.0625, 0, 0]]
    assert shift_weights(torch.tensor([[3.0]])).tolist() == [[1.0]]
    sums = shift_weights(torch.randint(-40, 40, (50, 30)).float()).sum(-1)
    assert bool(((sums > 0.5) & (sums <= 1)).all())


def test_forward_is_the_same_with_and_without_gradient():
    scores = torch.randint(-20, 20, (4, 9)).float().requires_grad_()
    with torch.no_grad():
        alone = shift_weights(scores)
    assert torch.equal(shift_weights(scores), alone)


@pytest.mark.parametrize("mode", ["softmax", "shift"])
def test_the_key_that_fits_gets_most_of_the_weight_and_gradients_flow(mode):
    torch.manual_seed(0)
    key = torch.randn(2, 5, 32) * 1.5
    query = key[:, [3, 1]].clone().requires_grad_()
    value, there = torch.randn(2, 5, 32), torch.ones(2, 5, dtype=torch.bool)
    context, weights = Attention(mode)(query, key, value, there)
    assert weights.argmax(-1).tolist() == [[3, 1], [3, 1]]
    context.square().sum().backward()
    assert float(query.grad.abs().sum()) > 0
    there[:, 3] = False
    assert not Attention(mode)(query, key, value, there)[1][..., 3].any()
