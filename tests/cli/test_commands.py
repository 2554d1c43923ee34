"""train, convert, evaluate and demo do what they say, through main() and once through the installed script."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spikeseq import __version__, data
from spikeseq.cli import data_of, demo
from spikeseq.nn import HardLSTM, QuantizedLSTM, SpikingLSTM, StreamLSTM
from spikeseq.nn.checkpoint import load_model
from spikeseq.report.record import read_record

RECIPE = str(Path(__file__).parents[2] / "recipes" / "digits_rows" / "lstm.yaml")
QUICK = ("--set", "model.hidden_size=8", "--set", "train.compile=never", "--progress", "false")


@torch.no_grad()
def accuracy(model, split) -> float:
    return float((model.eval()(split.x).argmax(-1) == split.y).double().mean())


def test_train(spikeseq, tmp_path):
    ran = spikeseq(
        "train", RECIPE, "--out", "a/run", "--seed", "4", "--record", "results", "--set", "train.epochs=1", "--set",
        "train.learning_rate=0.002", *QUICK,
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    record = read_record("a/run/record.json")
    assert record.seed == 4
    assert record.config["train"]["epochs"] == 1  # the first --set and the second
    assert record.config["train"]["learning_rate"] == 0.002
    assert record.config["model"]["hidden_size"] == 8
    m = record.metrics
    said = f"digits_rows/lstm: test accuracy {m['test_accuracy']:.4f}, validation accuracy {m['valid_accuracy']:.4f} -> a/run"
    assert ran.out == said
    assert read_record("results/digits_rows/lstm/seed4.json") == record


def test_train_without_out_goes_to_runs(spikeseq):
    assert spikeseq("train", RECIPE, "--set", "train.epochs=1", *QUICK).code == 0
    assert Path("runs/digits_rows/lstm/seed0/model.pt").exists()
    first = read_record("runs/digits_rows/lstm/seed0/record.json")
    # --resume alone, with a value, and switched off
    for flag in (["--resume"], ["--resume", "true"], ["--resume", "false"], []):
        assert spikeseq("train", RECIPE, "--set", "train.epochs=1", *QUICK, *flag).code == 0
        assert read_record("runs/digits_rows/lstm/seed0/record.json").metrics["history"] == first.metrics["history"]


def test_evaluate(spikeseq, trained, digits):
    model, _, _ = load_model(trained / "model.pt")
    for split in ("test", "valid", "train"):
        ran = spikeseq("evaluate", trained / "model.pt", "--split", split)
        parameters = sum(p.numel() for p in model.parameters())
        assert ran.out.startswith(
            f"{split}_accuracy: {accuracy(model, getattr(digits, split)):.4f} parameters: {parameters}"
        )
        assert "macs_per_element: 1604.0000" in ran.out  # 4 H (I + H) + 3 H, and 10 H / 8 for the readout
    assert spikeseq("evaluate", trained / "model.pt").out.startswith("test_accuracy: ")


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ([], SpikingLSTM),
        (["--time_steps", "4", "--shift", "none", "--max_packet", "1"], SpikingLSTM),
        (["--stage", "hard"], HardLSTM),
        (["--stage", "quantized", "--time_steps", "8"], QuantizedLSTM),
        (["--scheme", "streams", "--neuron", "lif", "--leak", "0.7"], StreamLSTM),
    ],
)
def test_convert_and_evaluate_the_result(spikeseq, trained, digits, options, kind):
    ran = spikeseq("convert", trained / "model.pt", "--out", "b/snn.pt", *options)
    assert (ran.code, ran.err) == (0, "")
    assert f"rnn: nn.LSTM -> {kind.__name__}" in ran.out
    assert ran.out.endswith("written: b/snn.pt")
    before, after, steps = re.search(
        r"test accuracy: (\d\.\d+) before, (\d\.\d+) after conversion at T = (\d+)", ran.out
    ).groups()
    original, (model, _, _) = load_model(trained / "model.pt")[0], load_model("b/snn.pt")
    assert float(before) == pytest.approx(accuracy(original, digits.test), abs=5e-5)
    assert float(after) == pytest.approx(accuracy(model, digits.test), abs=5e-5)
    assert type(model.rnn) is kind
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert steps == given.get("--time_steps", "2")
    if kind is not HardLSTM:
        assert model.rnn.kind.time_steps == int(steps)
        assert model.rnn.kind.shift == (0.0 if "--shift" in given else 0.5)
    if kind is SpikingLSTM:
        assert model.rnn.kind.max_packet == (1 if "--max_packet" in given else None)
    if kind is StreamLSTM:
        assert torch.allclose(model.rnn.leak_l0, torch.tensor(0.7))
    evaluated = spikeseq("evaluate", "b/snn.pt").out
    assert f"test_accuracy: {after}" in evaluated
    assert ("spike_rate: " in evaluated) == (kind is not HardLSTM)


def test_convert_a_converted_model(spikeseq, trained):
    """Step by step: float -> quantised, later quantised -> spiking, with the same answers."""
    spikeseq("convert", trained / "model.pt", "--out", "q.pt", "--stage", "quantized", "--time_steps", "4")
    ran = spikeseq("convert", "q.pt", "--out", "s.pt", "--time_steps", "4")
    assert "rnn: QuantizedLSTM -> SpikingLSTM" in ran.out
    quantized, spiking = load_model("q.pt")[0], load_model("s.pt")[0]
    x = data.load("digits").test.x[:100]
    with torch.no_grad():
        assert (quantized(x).argmax(-1) == spiking(x).argmax(-1)).float().mean() > 0.97


@pytest.mark.usefixtures("few_digits")
@pytest.mark.parametrize(
    ("first", "then"),
    [
        (("--stage", "quantized", "--input_encoding", "int8"), ()),
        (("--stage", "quantized", "--input_encoding", "delta", "--input_levels", "9"), ()),
        (("--stage", "quantized", "--shift", "none"), ()),
        (("--stage", "hard"), ("--scheme", "streams", "--neuron", "lif", "--leak", "0.75")),
    ],
)
def test_the_file_holds_what_the_layer_is(spikeseq, trained, first, then):
    """Shift and input code of a quantised layer outlive another conversion; a leak is no IF neuron when it is loaded."""
    spikeseq("convert", trained / "model.pt", "--out", "a.pt", *first)
    ran = spikeseq("convert", "a.pt", "--out", "b.pt", *then)
    assert (ran.code, ran.err) == (0, "")
    a, b = load_model("a.pt")[0].rnn.kind, load_model("b.pt")[0].rnn.kind
    if then:
        assert b.leak == 0.75
    else:
        assert (b.shift, b.encoding) == (a.shift, a.encoding)
        assert a.shift == 0 or a.encoding.code != "direct"
    said = re.search(r"([\d.]+) after conversion", ran.out)
    assert said is not None
    assert f"test_accuracy: {said[1]}" in spikeseq("evaluate", "b.pt").out


def test_sweep(spikeseq, trained):
    ran = spikeseq("convert", trained / "model.pt", "--sweep", "--record", "results")
    assert (ran.code, ran.err) == (0, "")
    record = read_record("results/digits_rows/lstm_post_hoc/seed0.json")
    rows = record.metrics["post_hoc"]
    assert record.kind == "convert"
    places = [(row.get("variant"), row["time_steps"], row["shift"]) for row in rows]
    variants = (None, "unit spikes", "IF streams", "LIF streams")
    assert places == [(v, t, s) for v in variants for t in (1, 2, 4, 8, 16) for s in (True, False)]
    said = re.findall(r"(grid|unit spikes|IF streams|LIF streams) T = (\d+) (with|without) shift: (\d\.\d{4})", ran.out)
    assert [(name, int(t), how == "with", float(a)) for name, t, how, a in said] == [
        (row.get("variant", "grid"), row["time_steps"], row["shift"], pytest.approx(row["accuracy"], abs=5e-5))
        for row in rows
    ]
    # one row worked out by way of the single command
    one = spikeseq("convert", trained / "model.pt", "--time_steps", "8")
    assert f"{rows[places.index((None, 8, True))]['accuracy']:.4f} after conversion" in one.out


@pytest.mark.parametrize(
    "options", [["--out", "b.pt"], ["--time_steps", "4"], ["--input_encoding", "delta"], ["--scheme", "streams"]]
)
def test_a_sweep_refuses_what_it_would_ignore(spikeseq, trained, options):
    ran = spikeseq("convert", trained / "model.pt", "--sweep", *options)
    assert ran.code == 2
    assert "sweep" in ran.err
    assert spikeseq("convert", trained / "model.pt", "--record", "results").code == 2


def test_calibration_takes_training_data(digits):
    assert torch.equal(torch.cat(data_of.calibration_rows(digits)), digits.train.x[: data_of.CALIBRATION_ROWS])


@pytest.mark.usefixtures("few_digits")
def test_demo_quick(spikeseq, monkeypatch):
    small = tuple(dataclasses.replace(task, hidden_size=16) for task in demo.TASKS)
    monkeypatch.setattr(demo, "TASKS", small)
    ran = spikeseq("demo", "--quick", "true", "--out", "shown", "--progress", "false")
    assert (ran.code, ran.err) == (0, "")
    record = read_record("shown/metrics.json")
    assert record.kind == "demo"
    rows = record.metrics["rows"]
    models = [
        ("float LSTM", None), ("hard LSTM, fine-tuned", None), *(("converted", t) for t in (1, 2, 4, 8)),
        *(("converted, no shift", t) for t in (1, 2, 4, 8)), ("fine-tuned", 1), ("fine-tuned", 2),
    ]  # fmt: skip
    assert [(r["data"], r["model"], r["T"]) for r in rows] == [(d, m, t) for d in ("rows", "pixels") for m, t in models]
    for row in rows:
        spiking = row["T"] is not None
        assert 0 <= row["test_accuracy"] < 1
        assert (row["spike_rate"] is not None) == spiking
        width = 8 if row["data"] == "rows" else 1
        assert row["macs"] >= 4 * 16 * width
        assert (row["acs"] > 0) == spiking
        assert (row["macs"] < 4 * 16 * (width + 16)) == spiking
    for name in ("accuracy_rows", "raster_rows", "accuracy_pixels", "raster_pixels"):
        assert Path(f"shown/{name}.png").read_bytes().startswith(b"\x89PNG")
    page = Path("shown/report.html").read_text()
    assert "float LSTM" in page
    assert page.count("data:image/png;base64,") + page.count("<svg") >= 4
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)  # self-contained
    assert "shown/report.html" in ran.out


def test_demo_takes_a_seed(spikeseq, monkeypatch):
    """Any number, not only 0 and 1."""
    from spikeseq.cli import main as module

    given = {}

    def demo(out: str = "runs/demo", seed: int = 0, quick: bool = False, progress: bool = True) -> None:
        given.update(out=out, seed=seed, quick=quick, progress=progress)

    demo.__doc__ = module.function_of("demo").__doc__
    monkeypatch.setattr(module, "function_of", {"demo": demo}.get)
    assert spikeseq("demo", "--seed", "7", "--quick").code == 0
    assert given == {"out": "runs/demo", "seed": 7, "quick": True, "progress": True}
    assert type(given["seed"]) is int


def test_version(spikeseq):
    assert spikeseq("--version").out == f"spikeseq {__version__}"


@pytest.mark.parametrize(
    "command",
    [[Path(sys.executable).with_name("spikeseq")], [sys.executable, "-m", "spikeseq"]],
    ids=["script", "module"],
)
def test_the_installed_script(command):
    """The way a person sees it: text, exit code, no traceback."""
    ran = subprocess.run([*command, "evaluate", "missing.pt"], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("error: checkpoint 'missing.pt' does not exist")
    assert "Traceback" not in ran.stderr
