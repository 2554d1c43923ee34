"""LIF layers: products, membranes that are carried on, resets, integrating readouts; float32 and integers."""

import itertools

import numpy as np
import pytest
import torch

import spikeseq.nn as snn
from spikeseq import runtime
from spikeseq.energy import count
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


def network(seed=0, leak=0.5, per_channel=True, normalise="length", **options):
    generator = torch.Generator().manual_seed(seed)
    channels = SIZES[1:] if per_channel else (None, None)
    model = snn.Sequential(
        torch.nn.Linear(SIZES[0], SIZES[1]), snn.LIF(channels[0], leak=leak, **options), snn.SequenceDropout(0.5),
        torch.nn.Linear(SIZES[1], SIZES[2]), snn.IF(channels[1], reset=options.get("reset", "subtract")),
        torch.nn.Linear(SIZES[2], OUTPUTS), snn.Integrator(normalise),
    )  # fmt: skip
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "weight" in name or "bias" in name:
                p.copy_(torch.randint(-8, 9, p.shape, generator=generator) / 4)
            elif "threshold" in name:
                p.copy_(1 + torch.randint(0, 5, p.shape, generator=generator) / 4)
    return model.eval()


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize(("normalise", "dyadic"), [("length", True), ("none", False)])
def test_a_sequential_bit_for_bit_with_the_same_counts(normalise, dyadic, per_channel, weights):
    model = network(normalise=normalise, per_channel=per_channel, dyadic_leak=dyadic, reset="subtract")
    x = torch.from_numpy(quarters(np.random.default_rng(1), 4, 3, SIZES[0]))
    with torch.no_grad():
        expected = model(x)[0]
    stream = runtime.compile(model, weights).stream(3)
    assert np.array_equal(stream.run(x.numpy()), expected.numpy())
    assert sum(layer["spikes"] for layer in stream.counters().values()) > 0
    counted = {layer.name: layer for layer in count(model, x).per_layer}
    found = stream.counters()
    assert list(found) == list(counted) == ["0", "1", "3", "4", "5", "6"]
    for name, layer in counted.items():
        got = {field: found[name][field] for field in found[name]}
        assert got == {field: getattr(layer, field) for field in got}


def test_learned_numbers_of_a_sequential():
    torch.manual_seed(0)
    model, x = network(leak=0.9, reset="zero"), torch.randn(30, 2, SIZES[0])
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1 + 0.1 * torch.rand_like(p))  # no sum meets a threshold exactly
        expected = torch.stack([model(x[: n + 1])[0] for n in range(len(x))])
    stream = runtime.compile(model).stream(2)
    np.testing.assert_allclose(np.stack([stream.step(e) for e in x.numpy()]), expected.numpy(), rtol=1e-5, atol=1e-5)


def test_what_a_sequential_gives_without_a_readout():
    layers = list(network())[:5]
    x = torch.from_numpy(quarters(np.random.default_rng(1), 6, 1, SIZES[0]))
    spikes = snn.Sequential(*layers)(x)[0].detach()
    for tail, expected in (((), spikes), ((snn.Last(),), spikes)):
        stream = runtime.compile(snn.Sequential(*layers, *tail)).stream()
        assert np.array_equal(np.stack([stream.step(e) for e in x[:, 0].numpy()]), expected[:, 0].numpy())
    readout = torch.nn.Linear(SIZES[2], 2)
    last = snn.Sequential(*layers, snn.Last(), readout)
    np.testing.assert_allclose(
        runtime.compile(last).stream().run(x[:, 0].numpy()), last(x)[0][0].detach().numpy(), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("layers", "word"),
    [
        ([snn.LIF()], "LIF"), ([], "a Sequential"), ([torch.nn.Linear(2, 3)], "Linear"),
        ([snn.SpikingLSTM(2, 3)], "SpikingLSTM"),
        ([torch.nn.Linear(2, 3), snn.LIF(), torch.nn.ReLU()], "ReLU"),
        ([torch.nn.Linear(2, 3), snn.LIF(4)], "4 channels"),
        ([torch.nn.Linear(2, 3), snn.LIF(), torch.nn.Linear(3, 3), snn.LIF(reset="zero")], "reset"),
    ],
)  # fmt: skip
def test_a_sequential_that_cannot_run_is_named(layers, word):
    with pytest.raises(ConfigError, match=word):
        runtime.compile(snn.Sequential(*layers))
