"""NIR graphs: written, read back and run; made elsewhere; and files that are none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spikeseq import nn as snn
from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.exchange import from_nir, to_nir

nir = pytest.importorskip("nir")
DT = 1e-4


def run(model, x):
    with torch.no_grad():
        return model(x)[0]


def values(*shape):
    """Multiples of 1/4: sums of them with dyadic weights are exact."""
    torch.manual_seed(5)
    return torch.randint(-8, 9, shape) / 4


def graph_of(*nodes):
    return nir.NIRGraph.from_list(nir.Input(nodes[0].input_type), *nodes, nir.Output(nodes[-1].output_type))


def lif(threshold=1.0, leak=0.75, size=3, **other):
    tau = np.full(size, DT / (1 - leak))
    zero = np.zeros(size)
    fields = {"tau": tau, "r": tau / DT, "v_leak": zero, "v_threshold": np.full(size, threshold), "v_reset": zero}
    return nir.LIF(**{**fields, **{key: np.full(size, value) for key, value in other.items()}})


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("readout", ["spikes", "sum", "mean", "last"])
def test_written_and_read_back(reset, readout, spread, tmp_path):
    ends = {"spikes": [], "sum": [snn.Integrator()], "mean": [snn.Integrator("length")], "last": [snn.Last()]}
    layers = [
        snn.SpikingConv2d(2, 4, 3, padding=1, neuron=snn.LIF(4, reset=reset)), nn.AvgPool2d(2), nn.Conv2d(4, 6, 3, bias=False),
        snn.LIF(reset=reset), nn.Dropout(0.5), nn.Flatten(), nn.Linear(24, 10), snn.CubaLIF(10, reset=reset),
        nn.Linear(10, 5, bias=False), snn.IF(5, reset=reset),
    ]  # fmt: skip
    model = spread(snn.Sequential(*layers, *ends[readout]), dyadic=True)
    to_nir(model, tmp_path / "net.nir", (2, 8, 8))
    back = from_nir(tmp_path / "net.nir")
    assert (back.element_shape, back.dt, back.reset) == ((2, 8, 8), DT, reset)
    x = values(30, 3, 2, 8, 8)
    expected = run(model, x)
    assert torch.equal(run(back.model, x), expected)
    assert 0.01 < expected.abs().mean() < 30
    kinds = [type(node).__name__ for node in to_nir(model, None, (2, 8, 8)).nodes.values()]
    assert kinds[:9] == ["Input", "Conv2d", "LIF", "AvgPool2d", "Conv2d", "LIF", "Flatten", "Affine", "CubaLIF"]


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_a_network_for_pictures_leaves_and_comes_back(pooling, spread, tmp_path):
    model = snn.PictureClassifier((2, 8, 8), 5, "lif", [3, 4], 6, options={"reset": "zero"}, pooling=pooling)
    model = spread(model, dyadic=True)
    to_nir(model, tmp_path / "net.nir")
    back = from_nir(tmp_path / "net.nir")
    x = values(10, 3, 2, 8, 8)
    expected = model(x.transpose(0, 1))
    assert torch.equal(run(back.model, x), expected)
    assert (back.element_shape, back.reset, bool(expected.any())) == ((2, 8, 8), "zero", True)
    with pytest.raises(ConfigError, match=r"module '1' \(MaxPool2d\).*AvgPool2d has one"):
        to_nir(snn.PictureClassifier((2, 8, 8), 5, "lif", [3], 6))


@pytest.mark.parametrize("framework", ["SpikingJelly", "snnTorch"])
def test_a_file_that_another_framework_wrote(framework):
    """benchmarks/exchange.py --fixtures, SpikingJelly 2.0.0 and snnTorch 1.0.0: their file, their spikes."""
    here = Path(__file__).parent
    with np.load(here / "graphs.npz", allow_pickle=False) as arrays:
        x, spikes = (torch.from_numpy(arrays[f"{framework}|{name}"]) for name in ("x", "spikes"))
    made = from_nir(here / f"{framework.lower()}.nir")
    assert made.element_shape in (tuple(x.shape[2:]), None)
    assert torch.equal(run(made.model, x), spikes.float())
    assert 0.02 < spikes.float().mean() < 0.5


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_thresholds_go_into_the_weights(reset, spread):
    layers = [
        snn.SpikingConv2d(2, 4, 3, padding=1, neuron=snn.LIF(4, reset=reset)), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(64, 10, bias=False), nn.Dropout(0.5), snn.CubaLIF(10, reset=reset), nn.Linear(10, 5), snn.IF(reset=reset),
    ]  # fmt: skip
    model = spread(snn.Sequential(*layers), dyadic=True)
    with torch.no_grad():  # powers of two, so that nothing is rounded
        for name, p in model.named_parameters():
            if name.endswith("threshold"):
                p.copy_(2.0 ** torch.randint(-2, 2, p.shape))
    weights = {name: p.clone() for name, p in model.named_parameters()}
    graph = to_nir(model, None, (2, 8, 8), fold_thresholds=True)
    found = [node.v_threshold for node in graph.nodes.values() if hasattr(node, "v_threshold")]
    assert len(found) == 3
    assert all((threshold == 1).all() for threshold in found)
    x = values(20, 3, 2, 8, 8)
    expected = run(model, x)
    assert torch.equal(run(from_nir(graph).model, x), expected)
    assert 0.01 < expected.mean() < 0.9
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())  # the model is left as it is
    late = snn.Sequential(nn.Linear(8, 8), nn.Flatten(), snn.LIF(8, reset=reset))
    with pytest.raises(ConfigError, match=r"module '2' \(LIF\) has no Linear or convolution right before it"):
        to_nir(late, fold_thresholds=True)


def test_parameters_are_those_of_the_equations(spread):
    """NIR's own equations, by Euler's method at dt, run beside ours."""
    model = spread(
        snn.Sequential(nn.Linear(6, 20), snn.LIF(20, reset="zero"), nn.Linear(20, 8), snn.CubaLIF(8, reset="zero")),
        True,
    )
    nodes = list(to_nir(model, dt=0.01).nodes.values())[1:-1]
    x = values(40, 1, 6)
    v, u, i, spikes = np.zeros(20), np.zeros(8), np.zeros(8), []
    for element in x[:, 0].numpy():
        first, neuron, second, cuba = nodes
        drive = first.weight @ element + first.bias
        v = v + 0.01 / neuron.tau * (neuron.v_leak - v + neuron.r * drive)
        z = v >= neuron.v_threshold - 1e-6
        v = np.where(z, neuron.v_reset, v)
        drive = second.weight @ z + second.bias
        i = i + 0.01 / cuba.tau_syn * (cuba.w_in * drive - i)
        u = u + 0.01 / cuba.tau_mem * (cuba.v_leak - u + cuba.r * i)
        z = u >= cuba.v_threshold - 1e-6
        u = np.where(z, cuba.v_reset, u)
        spikes.append(z)
    expected = run(model, x)[:, 0].numpy()
    assert 0.02 < expected.mean() < 0.9
    assert np.array_equal(np.stack(spikes), expected)


@pytest.mark.parametrize("gain", [0.5, 4.0])
def test_an_input_gain_goes_into_the_threshold(gain):
    made = from_nir(graph_of(lif(r=gain * 4))).model[0]
    assert made.threshold.item() == pytest.approx(1 / gain)
    assert made.leak.item() == pytest.approx(0.75)
    integrated = from_nir(graph_of(nir.Linear(np.eye(3, dtype=np.float32)), nir.I(np.full(3, gain / DT)))).model
    assert torch.allclose(run(integrated, torch.ones(4, 1, 3)), torch.full((1, 3), 4 * gain))


def test_dt_and_reset_are_asked_for():
    assert from_nir(graph_of(lif()), dt=2 * DT).model[0].leak.item() == pytest.approx(0.5)
    assert from_nir(graph_of(lif())).model[0].step.reset == "zero"
    assert from_nir(graph_of(lif()), reset="subtract").model[0].step.reset == "subtract"
    with pytest.raises(ConfigError, match=r"tau is shorter than dt=0\.001"):
        from_nir(graph_of(lif()), dt=1e-3)
    with pytest.raises(ConfigError, match="dt=-1"):
        from_nir(graph_of(lif()), dt=-1)
    with pytest.raises(ConfigError, match="reset='none'"):
        from_nir(graph_of(lif()), reset="none")


def test_pools_and_one_dimension(spread, tmp_path):
    own = spread(
        snn.Sequential(nn.Conv1d(2, 3, 3, padding=1), snn.LIF(3, reset="zero"), nn.Flatten(), nn.Linear(15, 2)), True
    )
    to_nir(own, tmp_path / "a.nir", (2, 5))
    x = values(9, 2, 2, 5)
    assert torch.equal(run(from_nir(tmp_path / "a.nir").model, x), run(own, x))
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    nodes = {"in": nir.Input(np.array([1, 4, 4])), "p": pool, "out": nir.Output(np.array([1, 2, 2]))}
    summed = from_nir(nir.NIRGraph(nodes, [("in", "p"), ("p", "out")], {}, type_check=False)).model
    assert torch.equal(run(summed, torch.ones(2, 1, 1, 4, 4)), torch.full((2, 1, 1, 2, 2), 4.0))


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([nn.Linear(4, 4), nn.ReLU()], r"module '1' \(ReLU\).*export onnx.*export c"),
        ([nn.Linear(4, 4), nn.MaxPool2d(2)], r"module '1' \(MaxPool2d\).*AvgPool2d.*export c"),
        ([nn.Linear(4, 4), snn.SpikingLSTM(4, 4)], r"module '1' \(SpikingLSTM\).*no node in NIR.*export c"),
        ([snn.SpikingConv1d(4, 4, 3, causal=True)], r"module '0' \(SpikingConv1d\)"),
        ([nn.Linear(4, 4), snn.LIF(), snn.IF(reset="zero")], "reset in two ways"),
    ],
)
def test_what_nir_cannot_say(layers, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        to_nir(snn.Sequential(*layers), tmp_path / "x.nir", (4,))
    assert list(tmp_path.iterdir()) == []


def test_models_and_values_that_nir_cannot_hold():
    with pytest.raises(ConfigError, match=r"SequenceClassifier.*no gates.*export c"):
        to_nir(snn.SequenceClassifier(4, 4, 2, "spiking_lstm"))
    with pytest.raises(ConfigError, match="element_shape"):
        to_nir(snn.Sequential(nn.Conv2d(1, 2, 3), snn.LIF()))
    with pytest.raises(ConfigError, match="does not take elements of shape"):
        to_nir(snn.Sequential(nn.Linear(4, 2)), element_shape=(5,))
    with pytest.raises(ConfigError, match="dt=0"):
        to_nir(snn.Sequential(nn.Linear(4, 2)), dt=0)


def test_leaks_of_0_and_1_come_back():
    layers = [snn.LIF(3, reset="zero"), snn.CubaLIF(3, reset="zero")]
    for layer in layers:
        with torch.no_grad():
            for name in ("leak", "current_leak"):
                if hasattr(layer, name):
                    getattr(layer, name).copy_(torch.tensor([0.0, 0.9, 1.0]))
    model = snn.Sequential(*layers)
    back = from_nir(to_nir(model, element_shape=(3,))).model
    for found, layer in zip(back, layers, strict=True):
        assert found.leak[[0, 2]].tolist() == [0.0, 1.0]
        assert found.leak[1].item() == pytest.approx(0.9, abs=1e-7)
        assert torch.equal(found.threshold, torch.ones(())) or torch.equal(found.threshold, layer.threshold)
    assert torch.equal(run(back, values(30, 2, 3)), run(model, values(30, 2, 3)))


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (lif(v_leak=0.5), "v_leak other than 0"),
        (lif(v_reset=-1.0), "v_reset other than 0"),
        (lif(threshold=-1.0), "above 0"),
        (lif(threshold=float("nan")), "v_threshold is empty or not finite"),
        (lif(tau=0.0), "shorter than dt"),
        (nir.Linear(np.full((2, 3), np.inf)), "weight is not finite"),
        (nir.Threshold(np.ones(3)), "node 'threshold' is a Threshold"),
        (nir.LI(np.ones(3), np.ones(3), np.zeros(3)), "node 'li' is a LI"),
        (nir.I(np.full(3, 5.0)), "r dt other than 1"),
    ],
)
def test_nodes_that_are_refused(node, words):
    with pytest.raises(ConfigError, match=words):
        from_nir(graph_of(node))


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0,)])
def test_nodes_that_do_not_fit_are_refused_when_they_are_read(shape):
    """Not when the model runs for the first time."""
    flat = nir.Flatten(input_type={"input": np.array(shape)}, start_dim=0, end_dim=99)
    nodes = {"in": nir.Input(np.array(shape)), "flat": flat, "out": nir.Output(np.array([3]))}
    graph = nir.NIRGraph(nodes, [("in", "flat"), ("flat", "out")], {}, type_check=False)
    with pytest.raises(ConfigError, match=r"(do not fit an element of shape|input of the graph has shape) \("):
        from_nir(graph)


def test_graphs_that_are_no_chain():
    nodes = {"in": nir.Input(np.array([3])), "lif": lif(), "w": nir.Linear(np.eye(3)), "out": nir.Output(np.array([3]))}
    loop = [("in", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "out")]
    for edges, words in (
        (loop, "recurrent graphs|leads to"), ([("in", "lif")], "leads to nothing"), ([("in", "out")], "on no way"),
        ([("in", "lif"), ("lif", "nowhere")], "leads to"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=words):
            from_nir(nir.NIRGraph(nodes, edges, {}, type_check=False))
    with pytest.raises(ConfigError, match="nothing between"):
        from_nir(nir.NIRGraph({k: nodes[k] for k in ("in", "out")}, [("in", "out")], {}, type_check=False))


def test_files_that_are_none(tmp_path, membranes):
    with pytest.raises(CheckpointError, match="does not exist"):
        from_nir(tmp_path / "missing.nir")
    whole = tmp_path / "net.nir"
    to_nir(membranes, whole)
    content = whole.read_bytes()
    bad = tmp_path / "bad.nir"
    for piece in (b"", b"no graph", content[: len(content) // 2], content[:600] + bytes(200) + content[800:]):
        bad.write_bytes(piece)
        with pytest.raises((CheckpointError, ConfigError)):
            from_nir(bad)


def test_bytes_that_changed(tmp_path, membranes):
    """Whatever is damaged: a graph that runs, or an error of ours."""
    to_nir(membranes, tmp_path / "net.nir")
    content = (tmp_path / "net.nir").read_bytes()
    random = np.random.default_rng(0)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(60):
        changed = bytearray(content)
        for place in random.integers(0, len(content), 20):
            changed[place] = random.integers(256)
        (tmp_path / "bad.nir").write_bytes(changed)
        try:
            from_nir(tmp_path / "bad.nir")
            outcomes["read"] += 1
        except (CheckpointError, ConfigError):
            outcomes["refused"] += 1
    assert outcomes["refused"] > 5
