"""Every benchmark runs with --quick and writes a record that says what it measured. Peers are optional here."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spikeseq.report.record import read_record

ROOT = Path(__file__).parents[2]
OURS = {"LSTM (engine)", "HardLSTM", "QuantizedLSTM T=2", "SpikingLSTM T=2", "StreamLSTM T=2"}
PEERS = {"snnTorch SLSTM", "SpikingJelly SpikingLSTM", "Norse LSNNRecurrent"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    def run_script(script):
        out = tmp_path_factory.mktemp(script)
        command = [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), "--quick", "--out", str(out)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return read_record(out / f"{script}.json"), done.stdout, out

    return run_script


def check_common(record, script):
    assert (record.kind, record.name) == ("bench", script)
    assert record.config["quick"] is True
    assert record.config["threads"] == record.versions["threads"] == 1
    assert record.command.startswith(f"python benchmarks/{script}.py --quick")
    assert record.seconds > 0
    numbers = [value for row in record.metrics["rows"] for value in row.values() if isinstance(value, float)]
    assert numbers
    assert all(math.isfinite(value) and value > 0 for value in numbers)


def test_train_step(run):
    record, text, _ = run("train_step")
    check_common(record, "train_step")
    rows = {(row["model"], row["inputs"], row["hidden"]): row for row in record.metrics["rows"]}
    assert len(rows) == len(record.metrics["rows"])
    measured = {model for model, inputs, _ in rows if inputs == 6}
    absent = set(record.metrics["absent"])
    assert measured | absent == {"nn.LSTM", "nn.GRU"} | OURS | PEERS
    assert not measured & absent
    assert absent <= PEERS
    for name in absent:
        assert f"not measured: {name}: " in text
        assert record.metrics["absent"][name]
    for model, inputs, hidden in rows:
        row = rows[model, inputs, hidden]
        assert row["low"] <= row["ratio"] <= row["high"]
        assert record.metrics[f"step time / nn.LSTM: {model}, I={inputs} H={hidden}"] == row["ratio"]
        assert row["version"].split(" ")[1][0].isdigit()
    for inputs in (6, 16):  # I = 40 and I = H of the full run
        baseline = rows["nn.LSTM", inputs, 16]
        assert baseline["ratio"] == baseline["cpu"] == baseline["best"] == 1
    assert {row["product"] for row in record.metrics["gemm"]} >= {"U h, one element", "W x, one chunk"}
    assert all(row["mm GFLOP/s"] > 0 for row in record.metrics["gemm"])
    assert record.metrics["targets"] == []  # the limits hold for the sizes of the full run only


def test_memory(run):
    record, _, _ = run("memory")
    check_common(record, "memory")
    rows = {row["model"]: row for row in record.metrics["rows"]}
    assert set(rows) == {"nn.LSTM", "SpikingLSTM T=2"}
    assert rows["nn.LSTM"]["ratio"] == 1
    # at least four gates and two states, at both time steps, must have been resident
    assert rows["SpikingLSTM T=2"]["per_number"] > 12


def test_scaling(run):
    record, _, out = run("scaling")
    check_common(record, "scaling")
    rows = {(row["model"], row["time_steps"], row["length"]): row["ratio"] for row in record.metrics["rows"]}
    assert rows["nn.LSTM", None, 4] == 1
    over_time_steps = {(family, t, 4) for family in ("QuantizedLSTM", "SpikingLSTM") for t in (1, 2)}
    over_length = {(m, t, n) for m, t in (("nn.LSTM", None), ("QuantizedLSTM", 2), ("SpikingLSTM", 2)) for n in (4, 8)}
    assert set(rows) == over_time_steps | over_length
    assert record.metrics["step time, T=2 over T=1: SpikingLSTM"] > 0
    assert record.metrics["time per element, L=8 over L=4: nn.LSTM"] > 0
    for plot in ("scaling_time_steps.png", "scaling_length.png"):
        assert (out / plot).read_bytes().startswith(b"\x89PNG")
