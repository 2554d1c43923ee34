"""The C runtime gives what the model gives, and counts what ``energy.count`` counts."""

import io
import threading

import numpy as np
import pytest
import torch
from dyadic import SIZES, assert_same_counts, dyadic, dyadic_input, steps

import spikeseq.nn as snn
from spikeseq import runtime
from spikeseq.energy import count
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.spiking import as_spiking

L = 13
I, H = SIZES


def lstm(time_steps=2, layers=1, packet=None, **options):
    return snn.SpikingLSTM(I, H, layers, time_steps=time_steps, max_packet=packet, **options)


@pytest.mark.parametrize("shift", [0.5, 0.0])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("packet", [None, 1])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("time_steps", [1, 2, 4, 8, 16])
def test_dyadic_layers_bit_for_bit_with_the_same_counts(time_steps, layers, packet, batch, shift):
    model, x = dyadic(lstm(time_steps, layers, packet, shift=shift)), dyadic_input(L, batch)
    with torch.no_grad():
        expected, state = model(x)
    assert expected.abs().sum() > 0
    stream = runtime.compile(model).stream(batch)
    assert np.array_equal(steps(stream, x.numpy()), expected.numpy())
    found = stream.state()
    c = state.streams[:, :, :time_steps].numpy()  # [layers, B, T, H]
    assert np.array_equal(found["c"].swapaxes(0, 1), c)
    assert np.array_equal(found["h"].sum(2).swapaxes(0, 1) / time_steps, state.h.numpy())
    assert_same_counts(stream, count(model, x))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("time_steps", [1, 4])
def test_classifier(time_steps, pooling, bias):
    options = {"time_steps": time_steps, "bias": bias}
    model = dyadic(SequenceClassifier(I, H, 5, "spiking_lstm", 2, pooling=pooling, options=options))
    x = dyadic_input(L, 3).transpose(0, 1)
    with torch.no_grad():
        expected = torch.stack([model(x[:, : n + 1]) for n in range(L)])
    program = runtime.compile(model)
    one, whole = program.stream(3), program.stream(3)
    rows = x.transpose(0, 1).numpy()
    np.testing.assert_allclose(steps(one, rows), expected.numpy(), rtol=1e-6, atol=1e-6)  # the mean divides by n
    assert np.array_equal(whole.run(rows), steps_of(program, rows)[-1])
    assert_same_counts(whole, count(model, x))  # run() reads out as often as the model does


def steps_of(program, rows):
    return steps(program.stream(rows.shape[1]), rows)


@pytest.mark.parametrize("time_steps", [1, 2, 4, 8])
def test_float_weights_and_a_quantized_model(time_steps):
    torch.manual_seed(time_steps)
    model, x = snn.QuantizedLSTM(I, 33, 2, time_steps=time_steps), torch.randn(L, 2, I)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1.5)
        expected = as_spiking(model)(x)[0].numpy()
    np.testing.assert_allclose(steps_of(runtime.compile(model), x.numpy()), expected, atol=1e-5)


def test_chunks_reset_and_one_sequence():
    program, x = runtime.compile(dyadic(lstm(4, 2))), dyadic_input(L)[:, 0].numpy()
    expected = steps_of(program, x[:, None])[:, 0]
    stream = program.stream()
    parts = [stream.run(x[:1]), stream.step(x[1])[None], stream.run(x[2:7]), stream.run(x[7:, None])[:, 0]]
    assert np.array_equal(np.concatenate(parts), expected)
    before = stream.counters()
    stream.reset()
    assert stream.counters() == before
    assert np.array_equal(stream.run(x), expected)


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_state_through_a_file(pooling):
    model = dyadic(SequenceClassifier(I, H, 5, "spiking_lstm", 2, pooling=pooling, options={"time_steps": 4}))
    program, x = runtime.compile(model), dyadic_input(L, 2).numpy()
    expected = steps_of(program, x)
    stream, file = program.stream(2), io.BytesIO()
    steps(stream, x[:6])
    np.savez(file, **stream.state())
    file.seek(0)
    other = program.stream(2)
    other.step(x[0])
    with np.load(file) as state:
        other.load_state(state)
    assert np.array_equal(steps(other, x[6:]), expected[6:])


def test_streams_in_threads():
    program = runtime.compile(dyadic(lstm(4, 2)))
    inputs = [dyadic_input(L, 2, seed).numpy() for seed in range(8)]
    expected = [steps_of(program, x) for x in inputs]
    found = [None] * len(inputs)

    def work(number):
        stream = program.stream(2)
        for _ in range(20):
            stream.reset()
            found[number] = steps(stream, inputs[number])
            if not np.array_equal(found[number], expected[number]):
                return

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(found, expected, strict=True):
        assert np.array_equal(a, b)


def test_a_program_keeps_its_weights_when_the_model_changes():
    model, x = dyadic(lstm()), dyadic_input(L).numpy()
    program = runtime.compile(model)
    expected = steps_of(program, x)
    with torch.no_grad():
        model.weight_hh_l0.zero_()
    assert np.array_equal(steps_of(program, x), expected)
    assert program.nbytes == 4 * (4 * H * (I + H + 1) + 4 * H)
