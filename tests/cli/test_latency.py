"""spikeseq latency: the cycles of the design study, sizes from a model file, a picture."""

import re
from pathlib import Path

import pytest

from spikeseq.nn.checkpoint import ModelSettings, save_model
from spikeseq.ops.schedule import Schedule


def table(ran):
    """Figures of each order: cycles, times fewer, delay, cycles per element, nodes at once."""
    assert (ran.code, ran.err) == (0, "")
    names = ("serial", "element-synchronous", "wavefront")
    rows = (re.search(rf"│ {name} (( *│ *[\d,.]+){{5}})", ran.out).group(1) for name in names)
    return {n: [float(v.replace(",", "")) for v in row.split("│")[1:]] for n, row in zip(names, rows, strict=True)}


def saved(path, cell, **settings):
    made = ModelSettings(cell, 4, **settings)
    return save_model(path, made.build(3, 2), made, (3, 2), {})


@pytest.mark.parametrize("dash", ["-", "_"])
def test_the_table_of_the_design_study(spikeseq, dash):
    ran = spikeseq("latency", f"--seq{dash}len", "784", f"--time{dash}steps=4", "--layers", "2")
    assert table(ran) == {
        "serial": [6272, 1, 8, 8, 1],
        "element-synchronous": [3140, 2, 8, 4, 2],
        "wavefront": [788, 7.96, 5, 1, 8],
    }
    assert "L = 784, T = 4, layers = 2" in ran.out
    assert " ".join(str(Schedule(784, 4, 2)).split()) in ran.out


@pytest.mark.parametrize("cell", ["spiking_lstm", "quantized_lstm", "stream_lstm"])
def test_a_model_file_says_its_sizes(spikeseq, tmp_path, cell):
    saved(tmp_path / "model.pt", cell, num_layers=3, options={"time_steps": 8})
    ran = spikeseq("latency", "model.pt")
    assert "L = 100, T = 8, layers = 3" in ran.out
    assert table(ran)["wavefront"][0] == 100 + 8 + 3 - 2


def test_the_picture(spikeseq):
    ran = spikeseq("latency", "--seq_len", "20", "--plot", "a/chart.png")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("written: a/chart.png, elements 1 to 12")
    assert Path("a/chart.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lstm.pt"], ("'lstm.pt'", "LSTM", "no time steps", "spikeseq convert")),
        (["float.pt"], ("'float.pt'", "HardLSTM", "no time steps")),
        (["both.pt"], ("'both.pt'", "bidirectional=True")),
        (["missing.pt"], ("'missing.pt'", "does not exist")),
        (["snn.pt", "--layers", "2"], ("layers=2", "'snn.pt'", "leave them out")),
        (["snn.pt", "--seq_len", "0"], ("seq_len=0",)),
        (["--time_steps", "0"], ("time_steps=0",)),
        (["--layers", "-1"], ("layers=-1",)),
        (["snn.pt", "--plot", "snn.pt/chart.png"], ("snn.pt",)),
    ],
)
def test_errors(spikeseq, tmp_path, arguments, words):
    for name, cell, options in [("lstm", "torch_lstm", {}), ("float", "hard_lstm", {}), ("snn", "spiking_lstm", {})]:
        saved(tmp_path / f"{name}.pt", cell, options=options)
    saved(tmp_path / "both.pt", "spiking_lstm", bidirectional=True)
    spikeseq("latency", *arguments).refused(*words)
