"""How x comes in: spikes add rows, 8-bit and delta codes give what the model gives, and count alike."""

import io

import numpy as np
import pytest
import torch
from dyadic import SIZES, assert_same_counts, dyadic, dyadic_input, steps

import spikeseq.nn as snn
from spikeseq import runtime
from spikeseq.energy import count
from spikeseq.errors import ConfigError, DataError
from spikeseq.nn.classifier import SequenceClassifier

WEIGHTS = pytest.mark.parametrize("weights", ["float32", "int8"])
I, H = SIZES


def network(cell, layers, **options):
    return dyadic(getattr(snn, cell)(I, H, layers, time_steps=2, **options))


@pytest.mark.parametrize("cell", ["SpikingLSTM", "StreamLSTM"])
@pytest.mark.parametrize(("layers", "bias"), [(1, True), (2, False)])
@pytest.mark.parametrize(("code", "levels"), [("int8", None), ("int8", 3), ("delta", None), ("delta", 5)])
def test_coded_inputs_bit_for_bit_with_the_same_counts(code, levels, layers, bias, cell):
    model = network(cell, layers, bias=bias, input_encoding=code, input_levels=levels)
    x = dyadic_input(11, 2)
    x[3:6] = x[3]  # what does not change is not sent
    x[7, 0] = 1e6  # clipped
    with torch.no_grad():
        expected = model(x)[0].numpy()
    assert np.abs(expected).sum() > 0
    for weights in ("float32", "int8"):
        stream = runtime.compile(model, weights).stream(2)
        assert np.array_equal(steps(stream, x.numpy()), expected)
        assert_same_counts(stream, count(model, x))


@WEIGHTS
@pytest.mark.parametrize("cell", ["SpikingLSTM", "StreamLSTM"])
def test_binary_inputs_add_rows(cell, weights):
    model, x = network(cell, 2), dyadic_input(11, 3).sign()
    with torch.no_grad():
        expected = model(x)[0].numpy()
    stream = runtime.compile(model, weights).stream(3)
    assert np.array_equal(steps(stream, x.numpy()), expected)
    assert_same_counts(stream, count(model, x))
    assert all(layer["macs"] == 0 for layer in stream.counters().values())


def test_one_analog_element_makes_a_layer_that_multiplies():
    """Of one sequence, in the middle: counted for all elements of all sequences, as energy.count does."""
    model, x = network("SpikingLSTM", 1), dyadic_input(9, 3).sign()
    stream = runtime.compile(model).stream(3)
    steps(stream, x.numpy())
    assert stream.counters()["l0"]["macs"] == 0
    x[5, 1, 0] = 0.5
    stream = runtime.compile(model).stream(3)
    steps(stream, x.numpy())
    assert stream.counters()["l0"]["macs"] == 9 * 3 * 4 * H * I
    assert_same_counts(stream, count(model, x))
    stream.reset()  # the layer stays one that multiplies
    stream.run(x[:2].sign().numpy())
    assert stream.counters()["l0"]["macs"] == 11 * 3 * 4 * H * I


@WEIGHTS
@pytest.mark.parametrize("code", ["int8", "delta"])
def test_learned_numbers(code, weights):
    """A quantised layer with steps fitted to nothing in particular; first element: rounding has flipped little yet."""
    torch.manual_seed(0)
    model, x = snn.QuantizedLSTM(5, 256, time_steps=2, input_encoding=code), torch.randn(1, 16, 5)
    with torch.no_grad():
        model.weight_ih_l0.mul_(40)
        model.input_step_l0.copy_(torch.rand(5) / 30 + 0.02)
        expected = model(x)[0].numpy()
    found = steps(runtime.compile(model, weights).stream(16), x.numpy())
    assert np.abs(expected).mean() > 0.05
    assert np.abs(found - expected).mean() < (1e-4 if weights == "float32" else 0.03) * np.abs(expected).mean()


@WEIGHTS
def test_a_running_sum_does_not_drift(weights):
    """20,000 elements of noise, then the first one again: the same sum, whatever lay between."""
    torch.manual_seed(0)
    program = runtime.compile(snn.SpikingLSTM(5, 16, input_encoding="delta"), weights)
    stream, x = program.stream(), np.random.default_rng(0).normal(size=(20_000, 5)).astype(np.float32)
    stream.step(x[0])
    first = stream.state()["held"]
    stream.run(x)
    stream.step(x[0])
    assert np.array_equal(stream.state()["held"].astype(np.float32), first.astype(np.float32))


@WEIGHTS
def test_a_delta_code_through_files_states_and_resets(weights, tmp_path):
    torch.manual_seed(0)
    options = {"time_steps": 2, "input_encoding": "delta"}
    program = runtime.compile(SequenceClassifier(I, H, 4, "spiking_lstm", options=options), weights)
    x = np.random.default_rng(0).normal(size=(20, I)).astype(np.float32)
    expected = steps(program.stream(), x)
    again = runtime.Program.load(program.save(tmp_path / "delta.spk"))
    stream, other = again.stream(), again.stream()
    assert np.array_equal(stream.run(x[:9]), expected[8])
    file = io.BytesIO()
    np.savez(file, **stream.state())
    file.seek(0)
    with np.load(file) as state:
        other.load_state(state)
    assert np.array_equal(steps(other, x[9:]), expected[9:])
    other.reset()
    assert np.array_equal(steps(other, x), expected)


@WEIGHTS
def test_a_running_sum_that_is_not_w_k_is_refused(weights):
    stream = runtime.compile(snn.SpikingLSTM(I, H, input_encoding="delta"), weights).stream()
    stream.step([1.0, -0.5, 0.25])
    good = stream.state()
    for name, value in [("held", 10**6), ("k", 100), ("k", -128)]:
        bad = {key: array.copy() for key, array in good.items()}
        bad[name].flat[0] = value
        with pytest.raises(DataError):
            stream.load_state(bad)
    stream.load_state(good)


@pytest.mark.parametrize("code", ["int8", "delta"])
def test_values_that_are_no_numbers_move_nothing(code):
    stream = runtime.compile(snn.SpikingLSTM(I, H, input_encoding=code)).stream()
    stream.step([1.0, -1e38, 1e-45])
    before = stream.state()
    with pytest.raises(DataError):
        stream.step([1.0, np.nan, 0.0])
    for name, array in stream.state().items():
        assert np.array_equal(array, before[name])


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_step_that_cannot_work(value):
    model = snn.SpikingLSTM(I, H, input_encoding="int8")
    with torch.no_grad():
        model.input_step_l0[1] = value
    with pytest.raises(ConfigError):
        runtime.compile(model)


def sixteen_bits(x):
    """float32 -> whole numbers of 16 bits, and the power of two that is their unit."""
    unit = np.float32(2.0 ** max(np.frexp(np.abs(x).max())[1] - 15, -64))
    u = x / unit
    whole = np.trunc(u + np.where(u < 0, np.float32(-0.5), np.float32(0.5)))
    return np.clip(whole, -32767, 32767).astype(np.float64), float(unit)


@pytest.mark.parametrize("code", ["direct", "int8", "delta"])
@pytest.mark.parametrize("scale", [0.01, 1.0, 1e7])
def test_what_integers_make_of_the_input_product(scale, code):
    """Rounded to the units of the sums, half a unit up; clipped where T of them could leave 32 bits."""
    torch.manual_seed(0)
    model = snn.SpikingLSTM(5, 6, time_steps=2, input_encoding=code)
    with torch.no_grad():
        model.weight_ih_l0.mul_(scale)
    stream = runtime.compile(model, "int8").stream()
    layer, x, limit = stream.program.layers[0], np.array([60, -0.7, 0.33, -61, 0.125], np.float32), float(1 << 23)
    if code == "direct":
        whole, unit = sixteen_bits(x)
        product = whole @ layer.input_rows * unit * layer.input_scale.astype(np.float64)
    else:
        u, unit = x / layer.input_step, 2.0 ** layer.input_shift.astype(np.float64)
        product = (
            np.clip(np.sign(u) * np.floor(np.abs(u) + 0.5), -127, 127) @ layer.input_rows.astype(np.float64) * unit
        )
        limit = limit / np.maximum(unit, 1) // 1 * np.maximum(unit, 1)  # clipped before it is shifted up
    assert (np.abs(product) > limit).any() == (scale > 1e6)
    stream.step(x)
    found = np.ctypeslib.as_array(stream._rows[0].drive_int8, (24,)) - layer.bias
    np.testing.assert_allclose(found, np.clip(np.floor(product + 0.5), -limit, limit), rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("hidden", [1, 3, 4, 13, 32])
@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 7, 256, 257, 300, 515])
def test_every_column_of_every_input(inputs, hidden):
    """Four rows and sixteen columns at a time, 256 inputs at a time: none is left out, none is taken twice."""
    torch.manual_seed(inputs)
    stream = runtime.compile(snn.SpikingLSTM(inputs, hidden, time_steps=1), "int8").stream()
    layer, x = stream.program.layers[0], np.random.default_rng(inputs).normal(size=inputs).astype(np.float32)
    whole, unit = sixteen_bits(x)
    product = whole @ layer.input_rows * unit * layer.input_scale.astype(np.float64)
    stream.step(x)
    found = np.ctypeslib.as_array(stream._rows[0].drive_int8, (4 * hidden,)) - layer.bias
    if inputs <= 256:  # one sum of integers, rounded to float32 once
        assert np.array_equal(found, np.floor(product.astype(np.float32) + np.float32(0.5)))
    else:
        np.testing.assert_allclose(found, product, atol=0.51)  # half a unit, and what float32 sums of passes round


@pytest.mark.parametrize("largest", [1e-40, 2.0**-70, 1e-9, 1.0, 32768.0, 3e30])
def test_a_value_of_any_size_is_a_whole_number_of_its_unit(largest):
    """The largest keeps 15 bits or, below 2^-64, its distance to it; what is too small for any current counts as 0."""
    model = snn.SpikingLSTM(2, 4, time_steps=1)
    with torch.no_grad():
        model.weight_ih_l0.fill_(1.0)
    stream = runtime.compile(model, "int8").stream()
    layer, x = stream.program.layers[0], np.array([largest, -0.3 * largest], np.float32)
    stream.step(x)
    found = np.ctypeslib.as_array(stream._rows[0].drive_int8, (16,)) - layer.bias
    wanted = np.clip(
        x.astype(np.float64) @ layer.input_rows * layer.input_scale.astype(np.float64), -(1 << 24), 1 << 24
    )
    np.testing.assert_allclose(found, wanted, rtol=2.0**-15, atol=0.51)  # of 15 bits; half a unit


def test_a_product_beyond_float32_is_refused():
    model = snn.SpikingLSTM(2, 4, time_steps=1)
    with torch.no_grad():
        model.weight_ih_l0.fill_(1.0)
    stream = runtime.compile(model, "int8").stream()
    with pytest.raises(DataError, match="W x"):
        stream.step(np.full(2, 3e38, np.float32))
    stream.step(np.full(2, 1e30, np.float32))
