"""spikeseq export c: a trained model file becomes a command that answers as the model does."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from spikeseq.nn.checkpoint import ModelSettings, load_model, save_model
from spikeseq.runtime import compile
from spikeseq.runtime.library import library_path

pytestmark = pytest.mark.skipif(
    library_path() is None or shutil.which("cc") is None or shutil.which("make") is None, reason="no C compiler"
)


@pytest.fixture(autouse=True)
def _nothing_counted(monkeypatch):
    """tests/export compiles to count the code; once is enough."""
    monkeypatch.setattr("spikeseq.export.c.count_code", lambda sources: None)


@pytest.fixture(scope="module")
def snn(trained, tmp_path_factory) -> Path:
    """A trained and converted model file."""
    from spikeseq.cli.main import main

    path = tmp_path_factory.mktemp("snn") / "snn.pt"
    assert main(["convert", str(trained / "model.pt"), "--out", str(path), "--time_steps", "2"]) == 0
    return path


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_a_trained_model_on_its_test_data(spikeseq, snn, digits, weights):
    ran = spikeseq("export", "c", snn, "--out", "a/firmware", "--weights", weights)
    model = load_model(snn)[0]
    program = compile(model, weights)
    assert (ran.code, ran.err) == (0, "")
    sizes = f"weights: {program.nbytes:,} bytes; each stream: {program.stream().nbytes:,} bytes"
    assert ran.out == f"{sizes} written: a/firmware; build it with: make -C a/firmware"
    subprocess.run(["make", "-C", "a/firmware", "CFLAGS=-O0"], capture_output=True, check=True)
    x = digits.test.x[:200]
    lines = "\n".join("\n".join(",".join(f"{v:.9g}" for v in row) for row in one.tolist()) + "\n" for one in x)
    done = subprocess.run(["a/firmware/build/model"], input=lines, capture_output=True, text=True, check=True)
    rows = [[float(v) for v in line.split(",")] for line in done.stdout.splitlines()]
    found = np.array(rows, np.float32).reshape(len(x), x.shape[1], -1)
    expected = []
    for one in x.numpy():
        stream = program.stream()
        expected.append([stream.step(element) for element in one])
    assert np.array_equal(found, np.array(expected))
    with torch.no_grad():
        same = found[:, -1].argmax(-1) == model(x).argmax(-1).numpy()
    assert same.mean() > (0.99 if weights == "float32" else 0.9)


def test_the_folder_by_default(spikeseq, snn):
    assert spikeseq("export", "c", snn).out.endswith("written: runs/export; build it with: make -C runs/export")
    assert Path("runs/export/model.h").exists()
    assert spikeseq("export", "c", snn).code == 0  # again, over its own


@pytest.mark.parametrize(
    ("cell", "options", "words"),
    [
        ("torch_lstm", {}, ("'x.pt'", "rnn (LSTM)", "spikeseq convert")),
        ("gru", {}, ("'x.pt'", "rnn (GRU)")),
        ("spiking_lstm", {"bidirectional": True}, ("'x.pt'", "bidirectional=True")),
    ],
)
def test_a_model_that_cannot_run(spikeseq, cell, options, words):
    settings = ModelSettings(cell, 4, **options)
    save_model("x.pt", settings.build(3, 2), settings, (3, 2), {})
    spikeseq("export", "c", "x.pt", "--out", "out").refused(*words)
    assert not Path("out").exists()


def test_files(spikeseq, snn):
    spikeseq("export", "c", "missing.pt").refused("'missing.pt'", "does not exist")
    Path("file").write_text("in the way")
    spikeseq("export", "c", snn, "--out", "file").refused("file", "is a file")
    spikeseq("export", "c", snn, "--out", "file/below").refused("file")
    Path("mine").mkdir()
    Path("mine/main.c").write_text("my work")
    spikeseq("export", "c", snn, "--out", "mine").refused("mine", "'main.c'", "choose an empty or new folder")
    assert [path.read_text() for path in Path("mine").iterdir()] == ["my work"]
    assert sorted(path.name for path in Path().iterdir()) == ["file", "mine"]


@pytest.mark.parametrize("arguments", [["rust", "a.pt"], ["c"], ["c", "a.pt", "--weights", "int4"]])
def test_arguments_that_do_not_exist(spikeseq, arguments):
    ran = spikeseq("export", *arguments)
    assert ran.code == 2
    assert "error: " in ran.err
    assert "Traceback" not in ran.err
