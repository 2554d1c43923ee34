"""int8 weights: exact where eight bits hold the weights, close where they round, counted alike."""

import numpy as np
import pytest
import torch
from dyadic import SIZES, assert_same_counts, dyadic, dyadic_input, steps

import spikeseq.nn as snn
from spikeseq import runtime
from spikeseq.energy import count
from spikeseq.errors import CheckpointError, ConfigError, DataError
from spikeseq.nn.classifier import SequenceClassifier

I, H = SIZES
EXACT = {1: 13, 2: 12, 4: 6, 8: 4, 16: 3}  # elements until c, divided by T each time, needs more than 16 bits


@pytest.mark.parametrize("shift", [0.5, 0.0])
@pytest.mark.parametrize("packet", [None, 1])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("time_steps", [1, 2, 4, 8, 16])
def test_weights_of_eight_bits_are_exact(time_steps, layers, packet, shift):
    model = dyadic(snn.SpikingLSTM(I, H, layers, time_steps=time_steps, max_packet=packet, shift=shift))
    x = dyadic_input(EXACT[time_steps], 2)
    with torch.no_grad():
        expected, state = model(x)
    assert expected.abs().sum() > 0
    stream = runtime.compile(model, "int8").stream(2)
    assert np.array_equal(steps(stream, x.numpy()), expected.numpy())
    c = state.streams[:, :, :time_steps].numpy()
    assert np.array_equal(stream.state()["c"].swapaxes(0, 1) / 2**16, c)
    assert_same_counts(stream, count(model, x))


@pytest.mark.parametrize("time_steps", [1, 2, 4, 8])
def test_rounded_weights_flip_few_spikes(time_steps):
    """Of the first two elements: in an untrained network one flipped spike changes all that follows (docs/runtime.md)."""
    torch.manual_seed(0)
    model = snn.SpikingLSTM(I, 256, time_steps=time_steps)
    with torch.no_grad():
        for name in ("weight_ih_l0", "bias_ih_l0"):
            model.get_parameter(name).mul_(40)
        x = torch.randn(2, 8, I)
        expected = model(x)[0].numpy()
    program = runtime.compile(model, "int8")
    found = steps(program.stream(8), x.numpy())
    assert np.abs(expected).mean() > 0.05
    assert np.abs(found - expected).mean() < 0.03 * np.abs(expected).mean()
    assert program.nbytes < 0.35 * runtime.compile(model).nbytes


def test_file_state_and_chunks(tmp_path):
    torch.manual_seed(0)
    model = SequenceClassifier(I, H, 5, "spiking_lstm", 2, options={"time_steps": 4})
    program, x = runtime.compile(model, "int8"), np.random.default_rng(0).normal(size=(30, I))
    expected = steps(program.stream(), x)
    path = program.save(tmp_path / "model.spk")
    again = runtime.Program.load(path)
    assert again.nbytes == program.nbytes
    stream, other = again.stream(), again.stream()
    assert np.array_equal(stream.run(x[:10]), expected[9])
    other.load_state(stream.state())
    assert np.array_equal(steps(other, x[10:]), expected[10:])
    state = stream.state()
    state["c"].flat[0] = 1 << 27
    with pytest.raises(DataError):
        other.load_state(state)
    data = path.read_bytes()
    for place in range(0, len(data), 11):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(CheckpointError):
            runtime.Program.load(path)


def test_extreme_numbers():
    model = snn.SpikingLSTM(I, H, time_steps=16)
    stream = runtime.compile(model, "int8").stream()
    for size in (0, 1e-45, 1e5, 1e30, -1e30):
        for _ in range(20):
            assert np.isfinite(stream.step([size, -size, 1])).all()
    for value in (np.nan, np.inf):
        with pytest.raises(DataError):
            stream.step([0, value, 0])
    with torch.no_grad():
        model.weight_hh_l0[0, 0] = 1e6
    with pytest.raises(ConfigError, match="int8"):
        runtime.compile(model, "int8")
    with pytest.raises(ConfigError, match="int8"):
        runtime.compile(model, "int4")
