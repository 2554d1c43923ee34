"""Spiking layers: theorem 2 through two layers, theorem 1 in every order, ranges, and settings that cannot work."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ShapeError

SPIKING = [snn.SpikingLSTM, snn.StreamLSTM]
ORDERS = ["serial", "layer", "element", "chained", "wavefront"]
spiking = pytest.mark.parametrize("kind", SPIKING)


def dyadic_weights(layer, scale=8):
    """Weights k / scale, |k| <= 8, and ranges that are powers of two: sums and products are exact."""
    with torch.no_grad():
        for name, value in layer.named_parameters():
            if name.startswith(("weight", "bias")):
                value.copy_(torch.randint(-8, 9, value.shape) / scale)
            elif name.startswith("threshold"):
                value.copy_(2.0 ** torch.randint(0, 3, value.shape))
    return layer


def dyadic(*shape, dtype=torch.float64):
    return torch.randint(-8, 9, shape).to(dtype) / 4


def twins(steps, seed, width, **options):
    torch.manual_seed(seed)
    quantised = dyadic_weights(snn.QuantizedLSTM(3, width, 2, time_steps=steps, dtype=torch.float64, **options))
    grid = snn.SpikingLSTM(3, width, 2, time_steps=steps, dtype=torch.float64, **options)
    grid.load_state_dict(quantised.state_dict())
    return quantised, grid


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6), steps=st.sampled_from([1, 2, 4, 8, 16]), batch=st.integers(1, 4),
    width=st.integers(1, 9), both=st.booleans(), ragged=st.booleans(),
)  # fmt: skip
def test_theorem_2_grid_equals_quantised(seed, steps, batch, width, both, ragged):
    quantised, grid = twins(steps, seed, width, bidirectional=both)
    x = dyadic(6, batch, 3)
    lengths = torch.randint(1, 7, (batch,)) if ragged else None
    output, (h, c) = quantised(x, lengths=lengths)
    found, (mean, streams) = grid(x, lengths=lengths)
    assert torch.equal(found, output)
    assert torch.equal(mean, h)
    assert torch.equal(streams[:, :, steps - 1], c)


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_theorem_2_in_float32(steps):
    """Few bits, so that 24 are enough."""
    torch.manual_seed(0)
    quantised = dyadic_weights(snn.QuantizedLSTM(3, 16, 2, time_steps=steps), scale=4)
    grid = snn.SpikingLSTM(3, 16, 2, time_steps=steps)
    grid.load_state_dict(quantised.state_dict())
    x = dyadic(4, 8, 3, dtype=torch.float32)
    (output, (_, c)), (found, (_, streams)) = quantised(x), grid(x)
    assert torch.equal(found, output)
    assert torch.equal(streams[:, :, steps - 1], c)
    assert output.abs().sum() > 0


def test_theorem_2_holds_for_a_plain_state_and_across_a_cut():
    quantised, grid = twins(4, 5, 8)
    x, state = dyadic(6, 3, 3), (torch.randint(-4, 5, (2, 3, 8)).double() / 4, dyadic(2, 3, 8))
    for cut in (6, 2):
        output, last = quantised(x[:cut], state)
        found, end = grid(x[:cut], state)
        assert torch.equal(found, output)
        if cut < 6:
            assert torch.equal(grid(x[cut:], end)[0], quantised(x[cut:], last)[0])


@pytest.mark.parametrize("steps", [1, 2, 4, 8, 16])
def test_packets_stay_below_2t(steps):
    torch.manual_seed(1)
    layer = snn.SpikingLSTM(3, 32, 2, time_steps=steps)
    with torch.no_grad(), snn.observing() as seen:
        for p in layer.parameters():
            p.mul_(4)
        layer(4 * torch.randn(20, 8, 3))
    for entry in seen:
        assert entry.output.abs().max() <= 2 * steps - 1
        assert torch.equal(entry.output, entry.output.round())
        assert entry.output.abs().sum() > 0


def test_strict_unit_spikes_differ_at_t_4():
    torch.manual_seed(1)
    free = dyadic_weights(snn.SpikingLSTM(3, 32, 2, time_steps=4))
    strict = snn.SpikingLSTM(3, 32, 2, time_steps=4, max_packet=1)
    strict.load_state_dict(free.state_dict())
    x = dyadic(8, 4, 3, dtype=torch.float32)
    with snn.observing() as seen:
        assert not torch.equal(free(x)[0], strict(x)[0])
    assert seen[0].output.abs().max() > 1
    assert all(set(e.output.unique().tolist()) == {-1.0, 0.0, 1.0} for e in seen[2:])


@spiking
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_theorem_1_every_order_gives_the_same_bits(kind, layers, steps):
    """Random float32 weights: sums are not exact, so equal bits mean equal operations."""
    torch.manual_seed(layers)
    layer = kind(5, 19, layers, time_steps=steps, batch_first=True)
    with torch.no_grad():
        for name, p in layer.named_parameters():
            if name.startswith("weight"):
                p.mul_(6)
            elif not name.startswith("bias"):
                p.copy_(p * (0.6 + 0.4 * torch.rand_like(p)))
    x = torch.randn(3, 9, 5)
    state = layer(torch.randn(3, 4, 5))[1]
    runs = {order: layer.run(x, state, order=order) for order in ORDERS}
    first = runs["serial"]
    for order, result in runs.items():
        assert torch.equal(result.output, first.output)
        assert all(torch.equal(a, b) for a, b in zip(result.state, first.state, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(result.spikes, first.spikes, strict=True))
        pipelined = {
            "wavefront": 9 + steps + layers - 2,
            "element": (9 + layers - 1) * steps,
            "chained": 9 * steps + layers - 1,
        }
        assert result.cycles == pipelined.get(order, 9 * steps * layers)
    assert all(s.abs().sum() > 0 for s in first.spikes)
    torch.testing.assert_close(first.spikes[-1].sum(1).transpose(0, 1) / steps, first.output)


@spiking
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_run_is_forward_on_dyadic_weights(kind, order, steps):
    torch.manual_seed(2)
    layer = dyadic_weights(kind(3, 8, 3, time_steps=steps, dtype=torch.float64))
    x = dyadic(5, 4, 3)
    for state in (None, layer(dyadic(2, 4, 3))[1], (torch.randint(-1, 2, (3, 4, 8)).double(), dyadic(3, 4, 8))):
        output, last = layer(x, state)
        result = layer.run(x, state, order=order)
        assert torch.equal(result.output, output)
        assert all(torch.equal(a, b) for a, b in zip(result.state, last, strict=True))
        assert type(result.state) is type(last)


@spiking
def test_run_keeps_no_gradient_and_refuses_what_cannot_stream(kind):
    layer = kind(3, 4, 2)
    assert not layer.run(torch.zeros(2, 1, 3)).output.requires_grad
    with pytest.raises(
        ConfigError,
        match=r"order='wavefrnt': did you mean 'wavefront'.* valid: chained, element, layer, serial, wavefront",
    ):
        layer.run(torch.zeros(2, 1, 3), order="wavefrnt")
    with pytest.raises(ShapeError, match=r"x has shape \(2, 3\): pass \[L, B, I\]; x.unsqueeze\(1\) for one sequence"):
        layer.run(torch.zeros(2, 3))
    with pytest.raises(ShapeError, match="input_size=3"):
        layer.run(torch.zeros(2, 1, 4))
    with pytest.raises(ConfigError, match=r"bidirectional=True: .* use forward"):
        kind(3, 4, bidirectional=True).run(torch.zeros(2, 1, 3))


def test_if_and_lif_are_one_layer_with_another_leak():
    torch.manual_seed(3)
    lif = snn.StreamLSTM(3, 8, leak=0.9)
    integrate = snn.StreamLSTM(3, 8)
    assert (integrate.leak_l0 == 1).all()
    weights = {n: v for n, v in lif.state_dict().items() if n != "leak_l0"}
    integrate.load_state_dict(weights | {"leak_l0": torch.ones(3, 8)})
    x = 2 * torch.randn(12, 4, 3)
    assert not torch.equal(lif(x)[0], integrate(x)[0])
    with torch.no_grad():
        lif.leak_l0.fill_(1.0)
    assert torch.equal(lif(x)[0], integrate(x)[0])
    with torch.no_grad():
        lif.leak_l0.fill_(1.7)  # an optimiser's overshoot counts as 1
    assert torch.equal(lif(x)[0], integrate(x)[0])


@pytest.mark.parametrize("kind", [snn.HardLSTM, snn.QuantizedLSTM, *SPIKING])
def test_ranges_stay_positive_when_an_optimiser_overshoots(kind):
    torch.manual_seed(4)
    layer = kind(3, 8)
    with torch.no_grad():
        layer.threshold_l0.fill_(-1.0)
        layer.clip_l0.zero_()
    output, state = layer(torch.randn(5, 2, 3))
    assert output.isfinite().all()
    assert all(s.isfinite().all() for s in state)


@pytest.mark.parametrize("kind", [snn.HardLSTM, snn.QuantizedLSTM, *SPIKING])
def test_the_gradient_reaches_every_range(kind):
    torch.manual_seed(5)
    layer = kind(3, 8, 2, **({"leak": 0.9} if kind is snn.StreamLSTM else {}))
    with torch.no_grad():
        for name, p in layer.named_parameters():
            if name.startswith("weight"):
                p.mul_(3)
    output, _ = layer(2 * torch.randn(20, 16, 3))
    output.square().sum().backward()
    for name, p in layer.named_parameters():
        assert (p.grad != 0).any(), name
        assert p.grad.isfinite().all(), name


def test_first_values_of_the_ranges():
    layer = snn.StreamLSTM(3, 4, leak=0.75)
    assert layer.threshold_l0.tolist() == [[4.0] * 4] * 3  # the slope of the sigmoid at 0
    assert layer.clip_l0.tolist() == [1.0] * 4
    assert layer.leak_l0.tolist() == [[0.75] * 4] * 3
    with torch.no_grad():
        for p in layer.parameters():
            p.fill_(9.0)
    layer.reset_parameters()
    assert layer.leak_l0.tolist() == [[0.75] * 4] * 3
    assert layer.weight_hh_l0.abs().max() <= 0.5


QUANTISED = [
    snn.QuantizedLSTM,
    snn.QuantizedLSTMCell,
    snn.SpikingLSTM,
    snn.SpikingLSTMCell,
    snn.StreamLSTM,
    snn.StreamLSTMCell,
]


@pytest.mark.parametrize("kind", QUANTISED)
def test_settings_that_cannot_work(kind):
    for steps in (0, 3, 6, 32, -2, True, "2"):
        with pytest.raises(ConfigError, match=f"time_steps={steps!r}: T must be a power of two up to 16; pass one of"):
            kind(3, 4, time_steps=steps)
    for shift in (0.25, 1, -0.5):
        with pytest.raises(ConfigError, match=rf"shift={shift}: pass 0.5 \(optimal\) or 0.0 \(none\)"):
            kind(3, 4, shift=shift)


@pytest.mark.parametrize("kind", [snn.SpikingLSTM, snn.SpikingLSTMCell])
@pytest.mark.parametrize("packet", [0, -1, 1.5, True])
def test_a_packet_that_cannot_be(kind, packet):
    with pytest.raises(ConfigError, match=f"max_packet={packet}: pass None"):
        kind(3, 4, max_packet=packet)


@pytest.mark.parametrize("kind", [snn.StreamLSTM, snn.StreamLSTMCell])
@pytest.mark.parametrize("leak", [-0.1, 1.1, float("nan")])
def test_a_leak_that_cannot_be(kind, leak):
    with pytest.raises(ConfigError, match=f"leak={leak}: a factor per time step from 0 to 1"):
        kind(3, 4, leak=leak)


def test_the_shift_can_be_left_out():
    torch.manual_seed(6)
    x = 2 * torch.randn(10, 4, 3)
    for kind in QUANTISED[::2]:
        with_shift, without = kind(3, 16), kind(3, 16, shift=0.0)
        without.load_state_dict(with_shift.state_dict())
        assert without(x)[0].abs().mean() < with_shift(x)[0].abs().mean()
