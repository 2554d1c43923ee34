"""Streams with IF and LIF gates: the model's bits on dyadic weights, in float32 and in integers, and its counts."""

import numpy as np
import pytest
import torch
from dyadic import SIZES, assert_same_counts, dyadic, dyadic_input, steps

import spikeseq.nn as snn
from spikeseq import runtime
from spikeseq.energy import count
from spikeseq.errors import ConfigError, DataError
from spikeseq.nn.classifier import SequenceClassifier

EXACT_THRESHOLD = {1: 4.0, 2: 6.0, 4: 7.5, 8: 4.0, 16: 4.0}  # the optimal shift at leak 1/2 is dyadic, too


def streams(time_steps, layers=1, leak=1.0, shift=0.5, **options):
    """IF gates, or LIF gates with leaks of halves and quarters."""
    model = dyadic(snn.StreamLSTM(*SIZES, layers, time_steps=time_steps, leak=leak, shift=shift, **options))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "threshold" in name and leak < 1 and shift:
                p.fill_(EXACT_THRESHOLD[time_steps])
    return model


CASES = [
    (time_steps, layers, leak, shift)
    for time_steps in (1, 2, 4, 8)
    for layers, leak, shift in (
        (1, 1.0, 0.5), (2, 1.0, 0.5), (2, 1.0, 0.0), (1, 0.5, 0.5), (2, 0.5, 0.5), (2, 0.5, 0.0), (1, 0.25, 0.0),
    )
    if leak == 1 or time_steps < 8  # 1/2^8 of a quarter is below the extra bits of an integer
]  # fmt: skip


@pytest.mark.parametrize(("time_steps", "layers", "leak", "shift"), CASES)
def test_dyadic_streams_bit_for_bit_with_the_same_counts(time_steps, layers, leak, shift):
    model, x = streams(time_steps, layers, leak, shift), dyadic_input(7, 3)
    with torch.no_grad():
        expected, state = model(x)
    assert expected.abs().sum() > 0
    counted = count(model, x)
    for weights, unit in (("float32", 1), ("int8", 2**-16)):
        stream = runtime.compile(model, weights).stream(3)
        assert np.array_equal(steps(stream, x.numpy()), expected.numpy())
        c = stream.state()["c"] * unit  # [B, layers, T, H]
        assert np.array_equal(c.swapaxes(0, 1), state.streams[:, :, :time_steps].numpy())
        assert_same_counts(stream, counted)


@pytest.mark.parametrize("time_steps", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("shift", [0.5, 0.0])
def test_learned_numbers_in_float32(time_steps, shift):
    torch.manual_seed(time_steps)
    model, x = snn.StreamLSTM(5, 33, 2, time_steps=time_steps, leak=0.9, shift=shift), torch.randn(11, 2, 5)
    with torch.no_grad():
        for name, p in model.named_parameters():
            scale = 15 if "weight_ih" in name else 1.5
            p.copy_(torch.rand_like(p) * 1.2 - 0.1 if "leak" in name else scale * p)  # leaks beyond [0, 1] are clamped
        expected = model(x)[0].numpy()
    assert np.abs(expected).mean() > 0.01
    np.testing.assert_allclose(steps(runtime.compile(model).stream(2), x.numpy()), expected, atol=1e-5)


@pytest.mark.parametrize("leak", [1.0, 0.9])
def test_rounded_weights_and_leaks_flip_few_spikes(leak):
    torch.manual_seed(0)
    model, x = snn.StreamLSTM(5, 256, time_steps=4, leak=leak), 3 * torch.randn(1, 16, 5)
    with torch.no_grad():
        model.weight_ih_l0.mul_(20)
        expected = model(x)[0].numpy()
    found = steps(runtime.compile(model, "int8").stream(16), x.numpy())
    assert np.abs(expected).mean() > 0.05
    assert np.abs(found - expected).mean() < 0.03 * np.abs(expected).mean()


def test_a_leak_is_rounded_to_a_256th():
    model = snn.StreamLSTM(2, 3, leak=0.9)
    with torch.no_grad():
        model.leak_l0.copy_(torch.tensor([0.0, 1.0, 0.4999]).expand(3, 3))
    layer = runtime.compile(model, "int8").layers[0]
    assert layer.leak.tolist() == [[0, 65536, 32768]] * 3


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_a_classifier_through_a_file_and_a_state(weights, tmp_path):
    torch.manual_seed(0)
    model = SequenceClassifier(3, 9, 4, "stream_lstm", 2, pooling="mean", options={"time_steps": 2, "leak": 0.75})
    program = runtime.compile(model, weights)
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    expected = steps(program.stream(), x)
    again = runtime.Program.load(program.save(tmp_path / "streams.spk"))
    assert again.settings == program.settings
    stream, other = again.stream(), again.stream()
    assert np.array_equal(stream.run(x[:9]), expected[8])
    other.load_state(stream.state())
    assert np.array_equal(steps(other, x[9:]), expected[9:])
    state = stream.state()
    state["h"].flat[0] = 2  # one spike at a time
    with pytest.raises(DataError):
        other.load_state(state)


def test_ranges_that_integers_cannot_hold():
    model = snn.StreamLSTM(2, 3)
    with torch.no_grad():
        model.threshold_l0.fill_(1e4)  # fewer bits below the point, and still exact enough to run
    runtime.compile(model, "int8")
    with torch.no_grad():
        model.threshold_l0[0, 0] = 1e12
    with pytest.raises(ConfigError, match="int8"):
        runtime.compile(model, "int8")
