"""What cannot run says so; a damaged file is a CheckpointError, wrong input changes no state."""

import struct
import zlib

import numpy as np
import pytest
import torch
from torch import nn

import spikeseq.nn as snn
from spikeseq import runtime
from spikeseq.errors import CheckpointError, ConfigError, DataError, ShapeError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.runtime import library


@pytest.fixture
def program():
    torch.manual_seed(0)
    options = {"time_steps": 2, "max_packet": 3}
    return runtime.compile(SequenceClassifier(2, 3, 2, "spiking_lstm", 2, pooling="mean", options=options))


def outputs(program):
    return program.stream().run(np.random.default_rng(0).normal(size=(9, 2)))


def test_a_saved_program_is_the_same(program, tmp_path):
    path = program.save(tmp_path / "deep" / "model.spk")
    again = runtime.Program.load(path)
    assert np.array_equal(outputs(again), outputs(program))
    assert again.names == program.names == ["rnn.l0", "rnn.l1", "readout"]
    again.save(tmp_path / "twice.spk")
    assert (tmp_path / "twice.spk").read_bytes() == path.read_bytes()
    bare = runtime.compile(snn.SpikingLSTM(2, 3, bias=False))
    assert np.array_equal(outputs(runtime.Program.load(bare.save(tmp_path / "bare.spk"))), outputs(bare))


def test_every_flipped_byte_and_every_length_is_found(program, tmp_path):
    path = program.save(tmp_path / "model.spk")
    data = path.read_bytes()
    generator = np.random.default_rng(0)
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= int(generator.integers(1, 256))
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"model\.spk"):
            runtime.Program.load(path)
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            runtime.Program.load(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(CheckpointError):
        runtime.Program.load(path)


def forged(data, change, version=2):
    """A file with a right checksum and a changed header."""
    length = struct.unpack_from("<I", data, 12)[0]
    header = change(data[16 : 16 + length])
    content = data[:8] + struct.pack("<II", version, len(header)) + header + data[16 + length : -4]
    return content + struct.pack("<I", zlib.crc32(content))


FIRST = b'[2, 3, ["bias"]]'  # I, H, optional arrays of layer 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"time_steps": 2', b'"time_steps": 4294967298'), (b'"time_steps": 2', b'"time_steps": 3'),
        (b'"time_steps": 2', b'"time_steps": "2"'), (b'"time_steps": 2', b'"time_steps": null'),
        (b'"max_packet": 3', b'"max_packet": -1'), (b'"max_packet": 3', b'"max_packet": 300'),
        (b'"shift": 0.5', b'"shift": NaN'), (b'"float32"', b'"int8"'), (b'"float32"', b"[]"),
        (b'"mean"', b'"most"'), (b'"mean"', b"[]"), (b'"grid"', b'"streams"'), (b'"grid"', b"[]"), (b'"direct"', b'"delta"'),
        (b'"direct"', b"{}"),
        (FIRST, b'[-2, -3, []]'),
        (FIRST, b'[1e99, 3, []]'), (FIRST, b"[2, 3]"), (FIRST, b"[2, 3, []]"), (FIRST, b"[2, 3, 1]"),
        (FIRST, b'[4611686018427387904, 3, []]'),
        (FIRST, b'[3, 2, ["bias"]]'), (b'"prefix"', b'"fix"'), (b"{", b"[" * 100_000), (b"{", b""), (b"{", b"\xff"),
    ],
)  # fmt: skip
def test_a_forged_header_is_an_error(program, tmp_path, old, new):
    path = program.save(tmp_path / "model.spk")
    data = path.read_bytes()
    assert forged(data, lambda header: header) == data
    path.write_bytes(forged(data, lambda header: header.replace(old, new, 1)))
    with pytest.raises(CheckpointError):
        runtime.Program.load(path)


def test_other_files(program, tmp_path):
    path = program.save(tmp_path / "model.spk")
    path.write_bytes(forged(path.read_bytes(), lambda header: header, version=3))
    with pytest.raises(CheckpointError, match="version 3"):
        runtime.Program.load(path)
    torch.save({"a": 1}, path)
    for other in (path, tmp_path, tmp_path / "missing"):
        with pytest.raises(CheckpointError):
            runtime.Program.load(other)


@pytest.mark.parametrize(
    ("model", "word"),
    [
        (snn.GRU(2, 3), "GRU"), (nn.LSTM(2, 3), "LSTM"), (snn.HardLSTM(2, 3), "HardLSTM"),
        (snn.SpikingLSTM(2, 3, bidirectional=True), "bidirectional"),
        (SequenceClassifier(2, 3, 4, "gru"), r"rnn \(GRU\)"), (nn.Linear(2, 3), "Linear"), (3, "int"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_named(model, word):
    with pytest.raises(ConfigError, match=word):
        runtime.compile(model)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2e30, 1e39])
def test_weights_that_cannot_work(value):
    model = snn.SpikingLSTM(2, 3).double()
    with torch.no_grad():
        model.weight_hh_l0[1, 1] = value
    with pytest.raises(ConfigError, match="weight"):
        runtime.compile(model)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2), (1, 3), (1, 1, 2), (0,)])
def test_wrong_shapes(program, shape):
    with pytest.raises(ShapeError):
        program.stream().step(np.zeros(shape))
    with pytest.raises(ShapeError):
        program.stream(3).step(np.zeros(2))
    with pytest.raises(ShapeError):
        program.stream().run(np.zeros((0, 2)))
    for size in (0, -1, 1.5, True):
        with pytest.raises(ConfigError):
            program.stream(size)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_a_value_that_is_no_number_moves_nothing(program, value):
    stream = program.stream()
    stream.step([0.5, -1])
    before, counted = stream.state(), stream.counters()
    with pytest.raises(DataError):
        stream.step([0.0, value])
    for name, array in stream.state().items():
        assert np.array_equal(array, before[name])
    assert stream.counters() == counted
    with pytest.raises(DataError):
        stream.run([[0.0, 0.0], [0.0, value]])
    assert stream.state()["elements"] == 2


@pytest.mark.parametrize("x", [[0.5, None], ["a", "b"], [[1.0], [1.0, 2.0]], [1j, 0], object(), {}])
def test_what_is_no_number(program, x):
    with pytest.raises((DataError, ShapeError)):
        program.stream().step(x)


@pytest.mark.parametrize("scale", [1e-45, 1e-38, 1e20, 1e29])
def test_extreme_numbers_give_numbers(scale):
    torch.manual_seed(0)
    model = SequenceClassifier(2, 5, 2, "spiking_lstm", 2, options={"time_steps": 16})
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_((p * scale).clamp(-1e30, 1e30)) if "threshold" not in name else p.copy_(p.clamp(max=1e-3))
    stream = runtime.compile(model).stream()
    for size in (0, 1e-45, 1, 1e5):
        for _ in range(20):
            assert np.isfinite(stream.step([size, -size])).all()
            assert np.isfinite(stream.state()["c"]).all()


def test_a_state_that_does_not_fit_is_refused(program):
    stream = program.stream()
    stream.step([0.5, -1])
    good = stream.state()
    for name, value in [("c", np.nan), ("h", 4), ("h", -4), ("h", -128), ("sum", np.inf)]:
        bad = {key: array.copy() for key, array in good.items()}
        bad[name].flat[0] = value
        with pytest.raises(DataError):
            stream.load_state(bad)
    for bad in ({}, {**good, "c": good["c"][:, :1]}, {**good, "h": good["h"].astype(float)}):
        with pytest.raises(ShapeError):
            stream.load_state(bad)
    for name, array in stream.state().items():
        assert np.array_equal(array, good[name])


def test_without_a_library(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKESEQ_LIBRARY", str(tmp_path / "none.so"))
    with pytest.raises(ConfigError, match="cannot be loaded"):
        runtime.compile(snn.SpikingLSTM(2, 3))
    monkeypatch.setattr(library, "library_path", lambda: None)
    with pytest.raises(ConfigError, match="not built"):
        runtime.compile(snn.SpikingLSTM(2, 3))
