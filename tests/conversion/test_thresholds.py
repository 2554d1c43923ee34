"""First thresholds from currents: layer by layer, by channel, padding left out."""

import pytest
import torch
from torch import nn

from spikeseq import nn as snn
from spikeseq.conversion import init_thresholds
from spikeseq.errors import ConfigError, DataError

L, B, I, H = 11, 4, 3, 5


def network(*channels):
    torch.manual_seed(0)
    first, second = channels or (H, None)
    model = snn.Sequential(nn.Linear(I, H), snn.LIF(first), nn.Linear(H, H), snn.IF(second), snn.Integrator())
    with torch.no_grad():
        model[0].bias.fill_(0.5)
        model[2].bias.fill_(0.5)
    return model


def batches(number=3):
    torch.manual_seed(1)
    return [torch.randn(L, B, I) for _ in range(number)]


def test_each_layer_gets_the_percentile_of_its_own_currents():
    model, data = network(), batches()
    found = init_thresholds(model, data, percentile=90, scale=0.5)
    assert list(found) == ["1", "3"]
    with torch.no_grad():
        currents = torch.cat([model[0](x).flatten(0, 1) for x in data])
        expected = 0.5 * torch.quantile(currents, 0.9, 0)
        torch.testing.assert_close(model[1].threshold, expected)
        assert torch.equal(model[1].threshold, found["1"])
        # the second layer behind the first with its new thresholds
        behind = torch.cat([model[2](model[1](model[0](x))[0]).flatten() for x in data])
        torch.testing.assert_close(model[3].threshold, 0.5 * torch.quantile(behind, 0.9))
    assert model[3].threshold.shape == ()


def test_graded_spikes_cover_currents_of_either_sign_and_gates_stay():
    torch.manual_seed(0)
    model = snn.Sequential(nn.Linear(I, H), snn.GradedLIF(H), nn.Linear(H, H), snn.GradedLIF(H, gate=True))
    data = batches()
    found = init_thresholds(model, data, percentile=95, scale=2.0)
    currents = torch.cat([model[0](x).flatten(0, 1) for x in data]).detach()
    torch.testing.assert_close(model[1].threshold.detach(), 2 * torch.quantile(currents.abs(), 0.95, 0))
    assert list(found) == ["1"]
    assert (model[3].threshold == 4).all()


def test_a_higher_percentile_means_fewer_spikes():
    rates = []
    for percentile in (50, 90, 99.7):
        model, data = network(), batches()
        init_thresholds(model, data, percentile)
        rates.append(model[1](model[0](data[0]))[0].mean().item())
    assert rates[0] > rates[1] > rates[2]


def test_padding_is_left_out():
    x = torch.randn(L, B, I)
    lengths = [3, 11, 5, 1]
    models = [network(), network()]
    init_thresholds(models[0], [{"input": x, "lengths": lengths}], 90)
    x = x.clone()
    for row, n in enumerate(lengths):
        x[n:, row] = 1e3
    init_thresholds(models[1], [{"input": x, "lengths": lengths}], 90)
    assert torch.equal(models[0][1].threshold, models[1][1].threshold)


def test_places_of_a_picture_share_their_channels_threshold():
    torch.manual_seed(2)
    model, x = snn.SpikingConv2d(2, 3, 3), torch.randn(L, B, 2, 6, 5)
    found = init_thresholds(model, [x], 80)
    assert list(found) == ["neuron"]
    currents = model.conv(x.flatten(0, 1)).transpose(0, 1).flatten(1)
    torch.testing.assert_close(found["neuron"], torch.quantile(currents, 0.8, 1).detach())


def test_a_channel_without_positive_current_takes_its_layers_percentile():
    model = network()
    with torch.no_grad():
        model[0].bias[2] = -100
    found = init_thresholds(model, batches(), 90)["1"]
    assert (found > 0).all()
    others = torch.cat([model[0](x).flatten() for x in batches()])
    torch.testing.assert_close(found[2], torch.quantile(others, 0.9).detach())


def test_the_model_is_left_in_its_mode_and_targets_are_ignored():
    model = network()
    init_thresholds(model.train(), [(x, torch.zeros(B)) for x in batches()])
    assert all(m.training for m in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_the_same_layer_twice_sees_both_its_calls():
    shared = snn.LIF()
    model = snn.Sequential(nn.Linear(I, H), shared, nn.Linear(H, H), shared)
    assert list(init_thresholds(model, batches())) == ["1"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"percentile": 0}, "percentile=0: pass a number above 0"),
        ({"percentile": 101}, "percentile=101"),
        ({"scale": 0.0}, "scale=0.0: pass a number above 0"),
        ({"scale": float("nan")}, "scale=nan"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ConfigError, match=words):
        init_thresholds(network(), batches(), **options)


def test_bad_models_and_data():
    with pytest.raises(ConfigError, match="Linear has no LIF or IF layer"):
        init_thresholds(nn.Linear(I, H), batches())
    with pytest.raises(DataError, match="calibration is empty"):
        init_thresholds(network(), [])
    with pytest.raises(DataError, match="holds NaN or infinity"):
        init_thresholds(network(), [torch.full((L, B, I), float("nan"))])
    silent = network()
    with torch.no_grad():
        silent[0].weight.zero_()
        silent[0].bias.fill_(-1)
    with pytest.raises(DataError, match=r"module '1' gets no positive current at percentile 99.7"):
        init_thresholds(silent, batches())
    unused = network()
    unused.register_module("spare", nn.Identity())
    unused.spare.neurons = snn.LIF()
    with pytest.raises(DataError, match=r"module 'spare.neurons' was not called"):
        init_thresholds(unused, batches())


def test_more_currents_than_are_kept(monkeypatch):
    """A sample of them, the percentile of each channel near that of all."""
    from spikeseq.conversion import thresholds

    monkeypatch.setattr(thresholds, "KEPT", 1000)
    torch.manual_seed(0)
    currents = torch.rand(20_000, 2) * torch.tensor([1.0, 3.0])
    found = thresholds._threshold(currents, "a", 90.0, 1.0)
    assert torch.allclose(found, torch.tensor([0.9, 2.7]), rtol=0.05)
    whole = thresholds._threshold(torch.ones(64 * 400 * 256 * 3, 1), "a", 99.7, 1.0)  # three batches of texts
    assert float(whole) == 1
