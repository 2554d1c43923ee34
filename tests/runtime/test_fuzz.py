"""Inputs, states and files of every kind of wrong: an error of ours that changes nothing, or finite numbers."""

import struct
import threading
import zlib

import numpy as np
import psutil
import pytest
import torch
from dyadic import SIZES

from spikeseq import runtime
from spikeseq.errors import CheckpointError, SpikeseqError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.runtime.arrays import layer_spec
from spikeseq.runtime.file import encode

NASTY = np.array([0, -0.0, 1, -1, 0.5, 1e-45, -1e-38, 1e20, -1e30, 3.4e38, -3.4e38, 1e39, np.inf, -np.inf, np.nan])
CASES = [
    (cell, code, weights)
    for cell in ("spiking_lstm", "stream_lstm", "spiking_gated_current")
    for code in ("direct", "int8", "delta")
    for weights in ("float32", "int8")
]
CASES += [
    (cell, code, weights)
    for cell in ("gated_current", "leaky_current")
    for code in ("direct", "sigma_delta")
    for weights in ("float32", "int8")
]
ALL = pytest.mark.parametrize(("cell", "code", "weights"), CASES)


def program(cell, code, weights):
    torch.manual_seed(0)
    options = {"time_steps": 2, "input_encoding": code, **({"leak": 0.9} if cell == "stream_lstm" else {})}
    if cell in ("gated_current", "leaky_current"):
        options = {"input_bits": 5} if code == "sigma_delta" else {}
    return runtime.compile(SequenceClassifier(*SIZES, 4, cell, 2, pooling="mean", options=options), weights)


def same(one, other):
    return all(np.array_equal(array, other[name]) for name, array in one.items())


@ALL
def test_inputs(cell, code, weights):
    generator = np.random.default_rng(0)
    stream, taken, refused = program(cell, code, weights).stream(), 0, 0
    for _ in range(400):
        shape = [(3,), (1, 3)][generator.integers(2)] if generator.random() < 0.8 else generator.integers(0, 5, 2)
        x = generator.choice(NASTY if generator.random() < 0.5 else NASTY[:11], shape)
        with np.errstate(over="ignore"):
            x = x.astype(generator.choice([np.float32, np.float16, object, str]))
        before = stream.state()
        try:
            y = stream.step(x.tolist() if generator.random() < 0.2 else x)
        except SpikeseqError:
            refused += 1
            assert same(stream.state(), before)
        else:
            taken += 1
            assert np.isfinite(y).all()
            assert np.isfinite(stream.state()["c"]).all()
    assert min(taken, refused) > 80


@ALL
def test_states(cell, code, weights):
    """Whatever load_state takes, the stream can go on from it."""
    generator = np.random.default_rng(1)
    stream, taken = program(cell, code, weights).stream(), 0
    for n in range(200):
        stream.step(generator.normal(size=3))
        state = stream.state()
        name = list(state)[n % len(state)]
        with np.errstate(invalid="ignore", over="ignore"):
            wild = generator.choice(NASTY, state[name].shape) * generator.choice([1, 3, 1e8])
            state[name] = wild.astype(state[name].dtype if generator.random() < 0.9 else np.int16)
        try:
            stream.load_state(state)
        except SpikeseqError:
            pass
        else:
            taken += 1
        assert np.isfinite(stream.step(generator.choice(NASTY[:9], 3))).all()
    assert taken > 10


@ALL
def test_files_with_a_right_checksum(cell, code, weights, tmp_path):
    """Flipped bits anywhere: no program, or one that runs."""
    generator = np.random.default_rng(2)
    path = program(cell, code, weights).save(tmp_path / "model.spk")
    data, refused = path.read_bytes()[:-4], 0
    for _ in range(60):
        damaged = bytearray(data)
        place = int(generator.integers(16, 500)) if generator.random() < 0.5 else int(generator.integers(len(data)))
        damaged[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(bytes(damaged) + struct.pack("<I", zlib.crc32(bytes(damaged))))
        try:
            stream = runtime.Program.load(path).stream()
        except CheckpointError:
            refused += 1
        else:
            assert np.isfinite(stream.run(generator.normal(size=(5, stream.program.input_size)))).all()
    assert 5 < refused < 58


@ALL
def test_a_file_of_layers_of_two_sizes(cell, code, weights, tmp_path):
    """Its arrays fit each other; a stream of it would read beyond its memory."""
    made = program(cell, code, weights)
    first, second = made.layers
    cut = {}
    for name, (kind, shape) in layer_spec(made.settings, 1, SIZES[1], 1).items():
        array = getattr(second, name)
        cut[name] = None if array is None else np.ones(shape, kind)
    readout = made.readout._replace(rows=made.readout.rows[:1])
    data = encode(made.settings, [first, second._replace(**cut)], readout)
    (tmp_path / "model.spk").write_bytes(data)
    with pytest.raises(CheckpointError, match=f"layer 1 has 1 units, those before {SIZES[1]}: pass layers of one size"):
        runtime.Program.load(tmp_path / "model.spk")


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_memory_stays_flat(weights):
    made = program("spiking_lstm", "delta", weights)
    stream, x = made.stream(), np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)

    def run():
        for _ in range(5):
            stream.run(x)
            for element in x:
                stream.step(element)
            stream.load_state(stream.state())
            stream.reset()
        return psutil.Process().memory_info().rss

    run()
    first = run()
    assert run() - first < 1 << 18
    assert 0 < stream.nbytes < 1 << 14
    assert stream.nbytes * 3 == made.stream(3).nbytes


def test_many_streams_in_threads():
    """40 streams, some with two sequences, over 8 threads: each gives what it gives alone."""
    made = {weights: program("spiking_lstm", "delta", weights) for weights in ("float32", "int8")}
    inputs = np.random.default_rng(0).normal(size=(40, 50, 2, 3)).astype(np.float32)
    jobs = [(made[("float32", "int8")[n % 2]], x if n % 3 else x[:, :1]) for n, x in enumerate(inputs)]
    expected = [np.stack([m.stream(x.shape[1]).run(x), m.stream(x.shape[1]).run(x[::-1])]) for m, x in jobs]
    found: dict[int, np.ndarray] = {}
    ready = threading.Barrier(8)

    def work(first):
        streams = {n: jobs[n][0].stream(jobs[n][1].shape[1]) for n in range(first, len(jobs), 8)}
        ready.wait()
        for part in range(0, 50, 10):  # streams take turns
            last = {n: stream.run(jobs[n][1][part : part + 10]) for n, stream in streams.items()}
        for stream in streams.values():
            stream.reset()
        for n, stream in streams.items():
            found[n] = np.stack([last[n], stream.run(jobs[n][1][::-1])])

    threads = [threading.Thread(target=work, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[n], expected[n]) for n in range(len(jobs)))
