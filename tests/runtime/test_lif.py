"""LIF layers: products, membranes that are carried on, resets, integrating readouts; float32 and integers."""

import itertools

import numpy as np
import pytest
import torch

from spikeseq.errors import ConfigError, DataError
from spikeseq.ops.neuron import LIFParams, LIFState, lif_step
from spikeseq.ops.spike import Rectangle
from spikeseq.runtime import Program
from spikeseq.runtime.arrays import LayerArrays, ReadoutArrays, Settings
from spikeseq.runtime.int8 import int8_layer, int8_readout

SIZES, OUTPUTS = (3, 9, 7), 4  # I, H of each layer


def quarters(generator, *shape, bound=8):
    return (generator.integers(-bound, bound + 1, shape) / 4).astype(np.float32)


def arrays(leak, seed=0):
    """Two layers and a readout of multiples of 1/4; thresholds and leaks by channel."""
    generator, layers = np.random.default_rng(seed), []
    for width, hidden in itertools.pairwise(SIZES):
        threshold = 1 + np.abs(quarters(generator, hidden))
        factor = None if leak is None else generator.choice(np.float32(leak), hidden)
        layers.append(
            LayerArrays(
                quarters(generator, width, hidden), None, quarters(generator, hidden, bound=1), threshold, None, factor
            )
        )
    return layers, ReadoutArrays(quarters(generator, SIZES[-1], OUTPUTS), None, quarters(generator, OUTPUTS), "last")


def program(layers, readout, weights="float32", **options):
    settings = Settings(1, 0, 0.5, weights=weights, kind="lif", names=("0", "1", "2", "3", "4"), **options)
    if weights == "int8":
        layers = [int8_layer(layer, number, settings) for number, layer in enumerate(layers)]
        readout = int8_readout(readout)._replace(pooling=readout.pooling)
    return Program(settings, layers, readout)


def reference(layers, readout, x, reset):
    """Outputs [L, O] and the spikes of each layer [L, H], by ops/neuron.py."""
    states = [torch.zeros(len(layer.threshold)) for layer in layers]
    spikes, outputs = [[] for _ in layers], []
    for element in torch.from_numpy(x):
        signal = element
        for number, layer in enumerate(layers):
            current = signal @ torch.from_numpy(layer.input_rows) + torch.from_numpy(layer.bias)
            leak = torch.ones(len(states[number])) if layer.leak is None else torch.from_numpy(layer.leak)
            params = LIFParams(torch.from_numpy(layer.threshold), leak)
            signal, state = lif_step(current, LIFState(states[number]), params, Rectangle())
            fired = params.leak * states[number] + current
            states[number] = fired * (1 - signal) if reset == "zero" else state.v
            spikes[number].append(signal.numpy())
        outputs.append((signal @ torch.from_numpy(readout.rows) + torch.from_numpy(readout.bias)).numpy())
    return np.stack(outputs), [np.stack(s) for s in spikes], [s.numpy() for s in states]


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("leak", [None, (1.0, 0.5, 0.0), (0.75,)])
def test_dyadic_layers_bit_for_bit(leak, reset, weights):
    layers, readout = arrays(leak)
    # a leak moves the last bit down with each element: as many as an integer has bits for
    x = quarters(np.random.default_rng(1), 20 if leak is None else 3, SIZES[0])
    expected, spikes, membranes = reference(layers, readout, x, reset)
    assert all(0 < s.mean() < 1 for s in spikes)
    made = program(layers, readout, weights, reset=reset)
    stream = made.stream()
    assert np.array_equal(np.stack([stream.step(element) for element in x]), expected)
    assert np.array_equal(stream.state()["h"][0], np.concatenate([s[-1] for s in spikes]))
    if weights == "float32":
        assert np.array_equal(stream.state()["c"][0], np.concatenate(membranes))
    counters = stream.counters()
    sent = [int(s.sum()) for s in spikes]
    assert [counters[name]["spikes"] for name in "01234"] == [0, sent[0], 0, sent[1], 0]
    fan_out = (SIZES[2], OUTPUTS)
    assert [counters[name]["acs"] for name in "24"] == [n * k for n, k in zip(sent, fan_out, strict=True)]
    assert [counters[name]["macs"] for name in "01"] == [len(x) * 3 * 9, 0]
    digits = {1.0: 1, 0.5: 1, 0.0: 0, 0.75: 2}  # shifted additions of a leak
    added = sum(digits[float(v)] for v in (np.ones(9) if layers[0].leak is None else layers[0].leak))
    assert counters["1"]["neuron_updates"] == len(x) * (added + 9 * (reset == "subtract"))
    assert counters["1"]["comparisons"] == len(x) * 9


def test_a_leak_that_is_no_short_sum_of_shifts_is_multiplied():
    layers, readout = arrays((0.9,))
    stream = program(layers, readout).stream()
    stream.step([1.0, 1.0, 1.0])
    counted = stream.counters()["1"]
    assert (counted["macs"], counted["elementwise"], counted["neuron_updates"]) == (9, 9, 9)


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("pooling", ["last", "mean", "sum"])
def test_integrators_chunks_files_and_states(pooling, weights, tmp_path):
    layers, readout = arrays((0.9, 0.999), 2)
    x = np.random.default_rng(3).normal(size=(60, SIZES[0])).astype(np.float32)
    made = program(layers, readout._replace(pooling=pooling), weights)
    stream = made.stream()
    expected = np.stack([stream.step(element) for element in x])
    each = np.stack([program(layers, readout, weights).stream().run(x[: n + 1]) for n in range(len(x))])
    of_pool = {"last": each, "sum": each.cumsum(0), "mean": each.cumsum(0) / np.arange(1, 61)[:, None]}
    np.testing.assert_allclose(expected, of_pool[pooling], rtol=1e-5, atol=1e-5)
    again = Program.load(made.save(tmp_path / "lif.spk"))
    assert (again.names, again.nbytes) == (made.names, made.nbytes)
    one, other = again.stream(), again.stream()
    assert np.array_equal(one.run(x[:31]), expected[30])
    other.load_state(one.state())
    assert np.array_equal(other.run(x[31:]), expected[-1])


@pytest.mark.parametrize("leak", [0.5, 0.9, 0.99, 0.999])
def test_integers_keep_a_slow_leak(leak):
    """A membrane below its threshold decays to nothing at the pace of its leak: 5 % after one pulse, whatever the leak."""
    one = np.ones((1, 1), np.float32)
    layer = LayerArrays(one, None, None, np.array([1.0], np.float32), None, np.array([leak], np.float32))
    made = program([layer], ReadoutArrays(one, None, None, "last"), "int8")
    stream, elements = made.stream(), round(np.log(0.5) / np.log(leak))
    stream.step([0.75])
    start = stream.state()["c"][0, 0]
    for _ in range(elements):
        stream.step([0.0])
    assert stream.state()["c"][0, 0] / start == pytest.approx(leak**elements, rel=0.05)


def test_a_membrane_that_nothing_resets_stays_a_number():
    layers, readout = arrays(None)
    layers = [layer._replace(input_rows=layer.input_rows * np.float32(4e29)) for layer in layers]
    stream = program(layers, readout._replace(pooling="sum")).stream()
    for sign in (1, -1):
        for _ in range(50):
            assert np.isfinite(stream.step([sign * 1e7, 1e7, -1e7])).all()
            assert np.isfinite(stream.state()["c"]).all()
    whole = program(*arrays(None), "int8").stream()
    for _ in range(3000):
        assert np.isfinite(whole.step([-1e6, -1e6, -1e6])).all()


def test_wrong_arrays_and_states():
    layers, readout = arrays((0.5,))
    stream = program(layers, readout).stream()
    state = stream.state()
    state["h"][0, 0] = 2
    with pytest.raises(DataError):
        stream.load_state(state)
    with pytest.raises(ConfigError, match="recurrent_rows"):
        program([layers[0]._replace(recurrent_rows=layers[0].input_rows), layers[1]], readout)
    with pytest.raises(ConfigError, match="threshold"):
        program([layers[0]._replace(threshold=layers[0].threshold[None]), layers[1]], readout)
    with pytest.raises(ConfigError, match="leak"):
        program([layers[0]._replace(leak=layers[0].leak * 3), layers[1]], readout)
    with pytest.raises(ConfigError, match="reset"):
        program(layers, readout, reset="none")
