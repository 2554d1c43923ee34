"""spikeseq export onnx, export nir, import nir: files that answer as the model does, and what is refused."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spikeseq import nn as snn
from spikeseq.nn.checkpoint import ModelSettings, load_model, save_model
from spikeseq.nn.layers_file import load_layers, save_layers

pytest.importorskip("nir")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture
def lif() -> Path:
    """A model file of a LIF network."""
    torch.manual_seed(0)
    layers = [nn.Linear(8, 12), snn.LIF(12, reset="zero"), nn.Linear(12, 10), snn.Integrator("length")]
    return save_layers("lif.pt", snn.Sequential(*layers, batch_first=True), (8,))


def run(path, x):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x.numpy()})[0]


def test_onnx_whole_and_step(spikeseq, lif):
    settings = ModelSettings("spiking_lstm", 6, options={"time_steps": 2})
    save_model("snn.pt", settings.build(8, 10), settings, (8, 10), {})
    x = torch.randn(3, 5, 8)
    for name, model in (("snn.pt", load_model("snn.pt")[0]), (lif, load_layers(lif).model)):
        ran = spikeseq("export", "onnx", name, "--whole", "--out", "a/whole.onnx")
        assert (ran.code, ran.err) == (0, "")
        assert "inputs: x [batch, length, 8] outputs: output [batch, 10] written: a/whole.onnx" in ran.out
        expected = model(x)
        expected = expected[0] if isinstance(expected, tuple) else expected
        np.testing.assert_allclose(run("a/whole.onnx", x), expected.detach().numpy(), atol=2e-6)
    assert "inputs: x [batch, 8], state.1.v [batch, 12]" in spikeseq("export", "onnx", lif).out
    assert Path("runs/model.onnx").exists()


def test_nir_out_and_in(spikeseq, lif):
    ran = spikeseq("export", "nir", lif, "--out", "net.nir")
    assert (ran.code, ran.err) == (0, "")
    assert "nodes: input Input, 0 Affine, 1 LIF, 2 Affine, 3 I, output Output" in ran.out
    assert "divide it by the number of elements" in ran.out
    ran = spikeseq("import", "nir", "net.nir", "--out", "back.pt")
    assert (ran.code, ran.err) == (0, "")
    assert "dt: 0.0001 s; reset: zero runs event-driven" in ran.out
    x = torch.randn(20, 3, 8)
    back, own = load_layers("back.pt").model, load_layers(lif).model
    torch.testing.assert_close(back(x)[0], own(x.transpose(0, 1))[0], rtol=0, atol=1e-6)
    spikeseq("export", "onnx", "back.pt", "--out", "back.onnx")
    assert Path("back.onnx").exists()


def test_energy_of_an_imported_network(spikeseq, lif):
    np.save("x.npy", torch.randn(3, 20, 8).numpy())
    ran = spikeseq("energy", lif, "--inputs", "x.npy")
    assert (ran.code, ran.err) == (0, "")
    macs = 8 * 12 + 12 + 10 / 20  # input layer, leaks, the division of each row's 20 elements
    assert f"│ all │ {macs:.1f} │" in ran.out
    spikeseq("energy", lif).refused("'lif.pt'", "names no data", "inputs")
    spikeseq("energy", lif, "--inputs", "missing.npy").refused("'missing.npy'", "cannot be read")
    whole, before = Path("x.npy").read_bytes(), b"'shape': (3, 20, 8), }"
    assert before in whole
    for shape in (b"1" + 12 * b"0" + b",2,2)", b"1" + 20 * b"0" + b",2,2)", b"3,20,9)", b"(((", b"-2,20,8)"):
        header, rest = whole[10:128].rstrip(), whole[128:]
        head = header.replace(before, b"'shape': (" + shape + b", }").ljust(117) + b"\n"
        Path("forged.npy").write_bytes(whole[:10] + head + rest)
        spikeseq("energy", lif, "--inputs", "forged.npy").refused("'forged.npy'", "cannot be read")
    np.save("text.npy", np.full((2, 3, 8), "1"))
    spikeseq("energy", lif, "--inputs", "text.npy").refused("'text.npy'", "it holds <U1, not numbers")
    np.save("flat.npy", np.zeros(3))
    spikeseq("energy", lif, "--inputs", "flat.npy").refused("flat.npy", "(3,)")
    spikeseq("energy", lif, "--inputs", "x.npy", "--out", "a").refused("out='a'", "no record")


def test_what_is_refused(spikeseq, lif):
    settings = ModelSettings("spiking_lstm", 6)
    save_model("snn.pt", settings.build(8, 10), settings, (8, 10), {})
    spikeseq("export", "nir", "snn.pt").refused("'snn.pt'", "SequenceClassifier", "no gates", "export c")
    spikeseq("export", "onnx", lif, "--weights", "int8").refused("weights='int8'", "only c")
    spikeseq("export", "onnx", lif, "--whole", "--step").refused("whole=True, step=True")
    spikeseq("export", "nir", lif, "--whole").refused("whole=True", "nir")
    spikeseq("export", "onnx", lif, "--dt", "1").refused("dt=1", "only nir")
    spikeseq("export", "onnx", lif, "--fold_thresholds", "true").refused("fold_thresholds=True", "only nir")
    spikeseq("export", "nir", lif, "--out", "net.onnx").refused("out='net.onnx' with export nir", "another format")
    spikeseq("export", "c", lif, "--out", "net.nir").refused("out='net.nir' with export c")
    spikeseq("export", "onnx", "missing.pt").refused("'missing.pt'", "does not exist")
    spikeseq("import", "nir", "missing.nir").refused("'missing.nir'", "does not exist")
    Path("bad.nir").write_bytes(b"no graph")
    spikeseq("import", "nir", "bad.nir").refused("'bad.nir'", "cannot be read")
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("package", "arguments"),
    [("onnx", ("export", "onnx", "lif.pt")), ("nir", ("export", "nir", "lif.pt")), ("nir", ("import", "nir", "a.nir"))],
)
def test_a_package_that_is_missing(spikeseq, lif, monkeypatch, package, arguments):
    for name in [n for n in sys.modules if n.startswith(f"spikeseq.exchange.{package}")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    spikeseq(*arguments).refused(f"{package} is not installed", f"pip install 'spikeseq[{package}]'")
