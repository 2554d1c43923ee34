"""Gated currents at T levels: packets of spikes, norm in the weights, with and without recurrent product; float32 and int8."""

import numpy as np
import pytest
import torch
from dyadic import SIZES, assert_same_counts, dyadic, dyadic_input, steps

import spikeseq.nn as snn
from spikeseq import ConvertConfig, convert, runtime
from spikeseq.energy import count
from spikeseq.errors import ConfigError, DataError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.ops.schedule import Schedule
from spikeseq.runtime import Program

I, H = SIZES
L = 13
EXACT = {1: 13, 2: 12, 4: 6, 8: 4, 16: 3}  # elements until a current, divided by T each time, needs more than 16 bits


def exact(model, seed=3):
    """Dyadic weights, a norm that shifts by half and scales by nothing, clip ranges of quarters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in dyadic(model).state_dict().items():
            if "norm_var" in name:
                value.fill_(1 - 1e-5)  # with the eps of the norm: 1
            elif "norm_mean" in name:
                value.fill_(0.5)
            elif "clip" in name:
                value.copy_(torch.randint(1, 5, value.shape, generator=generator) / 4)
    return model


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("candidate", ["relu", "signed"])
@pytest.mark.parametrize("variant", ["v1", "v2"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("time_steps", [1, 2, 4, 8, 16])
def test_dyadic_layers_bit_for_bit_with_the_same_counts(time_steps, layers, variant, candidate, batch_norm, weights):
    model = exact(
        snn.SpikingGatedCurrent(
            I, H, layers, variant=variant, time_steps=time_steps, candidate=candidate, batch_norm=batch_norm
        )
    )
    x = dyadic_input(EXACT[time_steps] if weights == "int8" else L, 3)
    with torch.no_grad():
        expected, state = model(x)
    assert expected.abs().sum() > 0
    assert (expected.min() < 0) == (candidate == "signed")
    stream = runtime.compile(model, weights).stream(3)
    assert np.array_equal(steps(stream, x.numpy()), expected.numpy())
    unit = 2**16 if weights == "int8" else 1
    current, residual = stream.state()["c"].transpose(2, 1, 0, 3) / unit  # [2, layers, B, H]
    assert np.array_equal(current, state.current.numpy())
    assert np.array_equal(residual, state.residual.numpy())
    assert np.array_equal(stream.state()["h"].swapaxes(0, 1) / time_steps, state.y.numpy())
    assert_same_counts(stream, count(model, x))


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("code", ["int8", "delta"])
@pytest.mark.parametrize("shift", [0.5, 0.0])
def test_coded_inputs(code, shift, weights):
    options = {"time_steps": 2, "input_encoding": code, "shift": shift, "candidate": "signed"}
    model = exact(snn.SpikingGatedCurrent(I, H, 2, **options))
    x = dyadic_input(10, 2)
    with torch.no_grad():
        expected = model(x)[0].numpy()
    stream = runtime.compile(model, weights).stream(2)
    assert np.array_equal(steps(stream, x.numpy()), expected)
    assert_same_counts(stream, count(model, x))


@pytest.mark.parametrize("x", ["spikes", "values"])
def test_inputs_that_are_spikes_are_added(x):
    model = exact(snn.SpikingGatedCurrent(I, H, time_steps=2))
    sent = dyadic_input(L, 2).sign() if x == "spikes" else dyadic_input(L, 2)
    stream = runtime.compile(model).stream(2)
    steps(stream, sent.numpy())
    assert_same_counts(stream, count(model, sent))
    assert (stream.counters()["l0"]["macs"] == 0) == (x == "spikes")


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_classifier_chunks_file_and_state(pooling, weights, tmp_path):
    options = {"time_steps": 4, "candidate": "signed"}
    model = exact(SequenceClassifier(I, H, 5, "spiking_gated_current", 2, pooling=pooling, options=options))
    x = dyadic_input(EXACT[4], 3)
    with torch.no_grad():
        expected = torch.stack([model(x[: n + 1].transpose(0, 1)) for n in range(len(x))]).numpy()
    made = runtime.compile(model, weights)
    program = Program.load(made.save(tmp_path / "model.spk"))
    assert (program.names, program.nbytes, program.settings) == (made.names, made.nbytes, made.settings)
    stream, other = program.stream(3), program.stream(3)
    np.testing.assert_allclose(steps(stream, x.numpy()[:4]), expected[:4], rtol=1e-6, atol=1e-6)
    other.load_state(stream.state())
    np.testing.assert_allclose(other.run(x.numpy()[4:]), expected[-1], rtol=1e-6, atol=1e-6)
    whole = program.stream(3)
    whole.run(x.numpy())
    assert_same_counts(whole, count(model, x.transpose(0, 1)))
    assert program.schedule(7) == Schedule(7, 1, 2, "wavefront")  # packets: no time steps to pipeline


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_trained_like_weights(variant):
    """Sums in another order than PyTorch's: the first elements agree, and later ones where no tie fell the other way."""
    torch.manual_seed(0)
    model = snn.SpikingGatedCurrent(I, 64, 2, variant=variant, time_steps=4, candidate="signed").eval()
    x = torch.randn(8, 16, I)
    with torch.no_grad():
        expected = model(x)[0].numpy()
    assert np.abs(expected).mean() > 0.05
    found = steps(runtime.compile(model).stream(16), x.numpy())
    assert np.mean(found != expected) < 0.01  # ties of float32 sums: rare, and seen by what comes after
    rounded = steps(runtime.compile(model, "int8").stream(16), x.numpy())
    # before a difference feeds back: weights of 8 bits move a sum of 64 by about a hundredth of it, some across a level
    assert np.abs(rounded - expected)[:2].mean() < 0.1 * np.abs(expected).mean()


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_a_state_beyond_the_range_is_refused(weights):
    stream = runtime.compile(snn.SpikingGatedCurrent(I, H, time_steps=2), weights).stream()
    state = stream.state()
    one = 2**16 if weights == "int8" else 1
    state["c"][..., 0] = one
    stream.load_state(state)
    state["c"][..., 0] = one + one / 64
    with pytest.raises(DataError, match=f"beyond {one}"):
        stream.load_state(state)
    state = stream.state()
    state["h"][..., 0] = 3
    with pytest.raises(DataError, match="more than 2 spikes"):
        stream.load_state(state)


def test_what_transmits_no_spikes_is_refused():
    for layer in (snn.AdLIF(I, H), snn.HardGatedCurrent(I, H), torch.nn.GRU(I, H)):
        with pytest.raises(ConfigError, match=rf"{type(layer).__name__}.*SpikingGatedCurrent"):
            runtime.compile(layer)


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_a_converted_gru_runs(weights):
    torch.manual_seed(3)
    gru, x = torch.nn.GRU(I, 16, 2), torch.randn(30, 8, I)
    gated = convert(gru, ConvertConfig(time_steps=8), [x]).model.eval()
    with torch.no_grad():
        expected = gated(x)[0].numpy()
    found = steps(runtime.compile(gated, weights).stream(8), x.numpy())
    assert np.abs(expected).mean() > 0.05
    if weights == "float32":
        assert np.abs(found - expected).mean() < 1e-3
    # a packet may come an element later where weights are rounded; what is sent in all stays
    assert np.abs(found.mean(0) - expected.mean(0)).mean() < 0.1 * np.abs(expected.mean(0)).mean()


@pytest.mark.parametrize("threshold", [4.0, 12_000.0, 200_000.0])
@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_int8_gates_of_any_range(variant, threshold):
    """Without recurrent rows nothing but V says how wide the sums of a gate are."""
    torch.manual_seed(6)
    model = snn.SpikingGatedCurrent(I, 32, variant=variant, time_steps=4, batch_norm=False).eval()
    with torch.no_grad():
        model.threshold_l0.fill_(threshold)
        model.weight_ih_l0[:32] *= threshold / 4
        if variant == "v2":
            model.weight_hh_l0[:32] *= threshold / 4
        x = torch.randn(2, 16, I)
        expected = model(x)[0].numpy()
    found = steps(runtime.compile(model, "int8").stream(16), x.numpy())
    assert np.mean(found != expected) < 0.05  # rounded weights; clipped gates gave a half


def test_int8_currents_fall_silent():
    """What a current leaves must not stay: the code would add it up, and send it again and again."""
    model = snn.SpikingGatedCurrent(1, 1, variant="v1", time_steps=16, batch_norm=False).eval()
    with torch.no_grad():
        model.weight_ih_l0.copy_(torch.tensor([[0.0], [1.0]]))
        model.bias_ih_l0.copy_(torch.tensor([1.75, 0.0]))  # of V = 4: z = 15 / 16
    x = np.zeros((5000, 1), np.float32)
    x[:50] = 1
    for weights in ("float32", "int8"):
        sent = runtime.compile(model, weights).stream().run(x)
        assert sent[:60].sum() > 10
        assert not sent[1000:].any()
