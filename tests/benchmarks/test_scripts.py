"""Every benchmark runs with --quick and writes a record that says what it measured. Peers are optional here."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spikeseq.report.record import read_record
from spikeseq.report.results import results_page
from spikeseq.runtime.library import library_path

ROOT = Path(__file__).parents[2]
OURS = {"LSTM (engine)", "HardLSTM", "QuantizedLSTM T=2", "SpikingLSTM T=2", "StreamLSTM T=2"}
RUNTIME_PEERS = {
    "torch.nn.LSTMCell", "torch.nn.LSTM, L = 1", "ONNX Runtime LSTM fp32", "ONNX Runtime LSTM int8", "snnTorch SLSTM",
    "SpikingJelly SpikingLSTMCell", "Norse LSNNRecurrentCell",
}  # fmt: skip
PEERS = {"snnTorch SLSTM", "SpikingJelly SpikingLSTM", "Norse LSNNRecurrent"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    def run_script(script, *more):
        out = tmp_path_factory.mktemp(script)
        command = [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), "--quick", "--out", str(out), *more]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True, timeout=600)
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


built = pytest.mark.skipif(library_path() is None, reason="the runtime's library was not built: make lib")


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


def test_speech_lengths(run):
    record, text, out = run("speech_lengths")
    check_common(record, "speech_lengths")
    rows = record.metrics["rows"]
    models = ("nn.LSTM", "QuantizedLSTM T=2", "GatedCurrent v2", "AdLIF")
    assert [(row["model"], row["length"]) for row in rows] == [(m, length) for m in models for length in (50, 100)]
    for model, what in ((m, w) for m in models for w in ("time", "memory")):
        key = f"log-log slope of {what} over L: {model}"
        assert f"{key}: {record.metrics[key]:.2f}" in text
    short, long = (row["ms"] for row in rows[:2])
    assert record.metrics["log-log slope of time over L: nn.LSTM"] == pytest.approx(math.log2(long / short))
    assert (out / "speech_lengths_time.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "speech_lengths_memory.png").is_file()


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


def test_exchange(run):
    record, text, _ = run("exchange")
    assert (record.kind, record.name, record.config["quick"]) == ("bench", "exchange", True)
    rows = record.metrics["rows"]
    assert {row["framework"] for row in rows} == {"snnTorch", "SpikingJelly", "Norse", "ONNX Runtime"}
    assert all(("differ" in row) != ("refused" in row) for row in rows)
    ours = [row for row in rows if row["framework"] == "ONNX Runtime"]
    assert len(ours) == 2
    assert all(row["differ"] < 0.01 for row in ours)
    assert "state_dict: theirs, loaded" in text


@built
def test_runtime(run, model_file, tmp_path):
    record, text, out = run("runtime", "--trained", str(model_file), str(tmp_path / "missing.pt"))
    check_common(record, "runtime")
    sizes = {(row["inputs"], row["hidden"]) for row in record.metrics["rows"]}
    assert sizes == {(8, 16), (6, 16)}  # of the trained model, and of the quick run
    for inputs, hidden in sizes:
        rows = [row for row in record.metrics["rows"] if (row["inputs"], row["hidden"]) == (inputs, hidden)]
        peers = {row["contender"] for row in rows if not row["contender"].startswith("spikeseq")}
        absent = set(record.metrics["absent"]) - {str(tmp_path / "missing.pt")}
        assert peers | absent == RUNTIME_PEERS
        assert not peers & absent
        assert {"torch.nn.LSTMCell", "torch.nn.LSTM, L = 1"} <= peers
        set_to = (
            ["digits/untrained seed 3"] if inputs == 8 else ["set 10%", "set 50%", "set as in digits/untrained seed 3"]
        )
        ours = [(row["contender"], row["setting"]) for row in rows if row["contender"].startswith("spikeseq")]
        assert sorted(ours) == sorted((f"spikeseq {w}", s) for w in ("float32", "int8") for s in set_to)
        (base,) = [row for row in rows if row["contender"] == "torch.nn.LSTMCell"]
        assert base["speed"] == base["best_speed"] == base["cold_speed"] == 1
        for row in rows:
            assert row["best_us"] <= row["median_us"]
            assert row["low"] <= row["speed"] <= row["high"]
        assert len([one for one in record.metrics["bandwidth"] if one["hidden"] == hidden]) == 3 * len(sizes)
    assert "does not exist" in record.metrics["absent"][str(tmp_path / "missing.pt")]
    assert "not measured" in text
    assert record.metrics["targets"] == []
    assert "### runtime: time of one element" in results_page([record])
    assert (out / "runtime_density.png").read_bytes().startswith(b"\x89PNG")


@built
def test_runtime_accuracy(run, model_file, tmp_path):
    record, _, _ = run("runtime_accuracy", "--models", str(model_file), str(tmp_path / "missing.pt"))
    (row,) = record.metrics["rows"]
    assert (row["model"], row["seed"], row["sequences"]) == ("digits/untrained", 3, 40)
    assert set(record.metrics["absent"]) == {str(tmp_path / "missing.pt")}
    kinds = [target["what"].split(" - ")[0] for target in record.metrics["targets"]]
    assert kinds == ["|float32", "|float32", "|int8", "|int8"]
    assert "### runtime_accuracy: accuracy of trained models" in results_page([record])


@built
def test_runtime_trained(run, model_file, tmp_path):
    record, _, _ = run("runtime_trained", "--models", str(model_file), str(tmp_path / "missing.pt"))
    assert [(row["model"], row["weights"]) for row in record.metrics["rows"]] == [
        ("digits/untrained", "float32"), ("digits/untrained", "int8"),
    ]  # fmt: skip
    first = record.metrics["rows"][0]
    assert (first["sequences"], first["labels"], first["torch"]) == (40, 0, first["runtime"])
    assert 0 < first["sent"] < 100
    assert min(first["median_us"], first["speed"], first["gru_speed"]) > 0
    assert len(record.metrics["absent"]) == 2
    assert "### runtime_trained: trained models, element by element" in results_page([record])


@built
def test_runtime_memory(run):
    record, _, _ = run("runtime_memory")
    check_common(record, "runtime_memory")
    for row in record.metrics["rows"]:
        assert row["program_resident"] >= row["program"] // 2  # pages: a small program may lie in one that is there
        assert row["stream_resident"] >= row["stream"]
    assert {(row["weights"], row["call"]) for row in record.metrics["flat"]} == {
        (weights, call) for weights in ("float32", "int8") for call in ("step", "run")
    }
    assert all(row["elements"] == 5000 for row in record.metrics["flat"])
    assert "### runtime_memory: bytes of a program" in results_page([record])


def test_lif(run):
    record, text, _ = run("lif")
    check_common(record, "lif")
    rows = {(row["layer"], row["model"]): row for row in record.metrics["rows"]}
    peers = {"SpikingJelly LIFNode", "SpikingJelly ParametricLIFNode", "snnTorch Leaky", "Norse LIF"}
    absent = set(record.metrics["absent"])
    for layer in ("neurons alone", "Linear 6 -> 6 before"):
        measured = {model for own, model in rows if own == layer}
        assert measured | absent == {"LIF", "LIF, not compiled"} | peers
        assert not measured & absent
        assert rows[layer, "LIF"]["ratio"] == 1
    for (layer, model), row in rows.items():
        assert row["low"] <= row["ratio"] <= row["high"]
        assert record.metrics[f"step time / LIF: {model}, {layer}"] == row["ratio"]
    assert all(f"not measured: {name}: " in text for name in absent)
    assert record.metrics["targets"] == []  # the limits hold for the sizes of the full run only


def test_reliability(run):
    record, text, _ = run("reliability")
    assert (record.kind, record.name) == ("bench", "reliability")
    rows = {row["what"].split(":")[0].split(",")[0]: row for row in record.metrics["rows"]}
    assert rows["trainings killed at random moments"]["kills"] == 1
    assert rows["finished trials of a sweep whose workers were killed"]["kills"] == 1
    assert rows["model file"]["tried"] == rows["record"]["tried"] == rows["checkpoint to resume from"]["tried"] == 5
    names = {"conversion", "export onnx", "export nir", *({"export c"} if library_path() is not None else ())}
    assert {name: rows[name]["kills"] for name in names} == dict.fromkeys(names, 1)
    assert record.metrics["all_good"], record.metrics["rows"]
    assert all(row["good"] == row["tried"] for row in rows.values())
    assert all(row.get("other error", 0) == 0 for row in rows.values())
    assert "as it must be" in text
