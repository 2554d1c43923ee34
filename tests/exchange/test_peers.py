"""Networks of snnTorch and SpikingJelly by state_dict: their spikes, as benchmarks/exchange.py --fixtures wrote them down."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spikeseq import nn as snn
from spikeseq.errors import ConfigError
from spikeseq.exchange import JellyNeuron, from_snntorch, from_spikingjelly, to_nir

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FIXTURES = Path(__file__).with_name("peers.npz")


def cases():
    """The cases of benchmarks/exchange_peers.py, which imports no framework before it runs one."""
    spec = importlib.util.spec_from_file_location("exchange_peers", BENCHMARKS / "exchange_peers.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


PEERS = cases()


def stored(name):
    """state_dict, x [L, B, I] and spikes of a case."""
    with np.load(FIXTURES, allow_pickle=False) as file:
        assert json.loads(str(file["names"])) == list(PEERS.STATE_CASES)
        own = {k.partition("|")[2]: torch.from_numpy(file[k]) for k in file.files if k.startswith(f"{name}|")}
    return {k: v for k, v in own.items() if k not in ("x", "spikes")}, own["x"], own["spikes"].float()


@pytest.mark.parametrize("name", PEERS.STATE_CASES)
def test_spike_for_spike(name):
    case = PEERS.STATE_CASES[name]
    state, x, spikes = stored(name)
    load = from_spikingjelly if case.framework == "SpikingJelly" else from_snntorch
    options = {} if case.framework == "SpikingJelly" else {"reset_delay": case.reset_delay}
    model = load(state, case.layers, **options)
    with torch.no_grad():
        found = model(x)[0]
    assert 0.02 < spikes.mean() < 0.9
    assert torch.equal(found, spikes)


def leaky(**changed):
    own = {"threshold": torch.tensor(1.0), "beta": torch.tensor(0.9), "graded_spikes_factor": torch.tensor(1.0)}
    own |= {"reset_mechanism_val": torch.tensor(1), **changed}
    linear = {"fc.weight": torch.ones(4, 3), "fc.bias": torch.zeros(4)}
    return {**linear, **{f"lif.{key}": value for key, value in own.items()}}


def test_what_becomes_what():
    made = from_snntorch(leaky(beta=torch.tensor([0.5, 0.6, 0.7, 1.5])), ["fc", nn.Flatten(), "lif"])
    assert [type(layer) for layer in made] == [nn.Linear, nn.Flatten, snn.LIF]
    assert made[2].leak.tolist() == pytest.approx([0.5, 0.6, 0.7, 1.0])
    assert made[2].step.reset == "zero"
    conv = {"c.weight": torch.ones(2, 1, 3, 3), "c.bias": torch.zeros(2)}
    made = from_spikingjelly(
        conv, [("c", nn.Conv2d(1, 2, 3)), ("n", JellyNeuron(4.0, True, 0.5, None)), ("m", JellyNeuron(None))]
    )
    assert torch.equal(made[0].weight, conv["c.weight"])
    assert (made[1].leak.item(), made[1].threshold.item(), made[1].step.reset) == (0.75, 2.0, "subtract")
    assert (type(made[2]), made[2].step.reset) == (snn.IF, "zero")


@pytest.mark.parametrize(
    ("state", "layers", "words"),
    [
        (leaky(), ["fc", "lfi"], r"layer 'lfi' is not in the state_dict.*lif"),
        (leaky(reset_mechanism_val=torch.tensor(0)), ["fc", "lif"], "resets one element late"),
        (leaky(reset_mechanism_val=torch.tensor(2)), ["lif"], "reset_mechanism='none'"),
        (leaky(graded_spikes_factor=torch.tensor(2.0)), ["lif"], "graded_spikes_factor"),
        (leaky(alpha=torch.tensor(0.5)), ["lif"], "resets one element late"),
        (leaky(V=torch.tensor(0.5)), ["lif"], "without recurrence"),
        (leaky(threshold=torch.tensor(-1.0)), ["lif"], "threshold of 0 or less"),
        (leaky(beta=torch.rand(3), threshold=torch.rand(4) + 0.5), ["lif"], r"\[3, 4\] units"),
        (leaky(), [nn.Linear(3, 4)], "has weights"),
        (leaky(), [("fc", nn.Linear(3, 5))], "layer 'fc' does not fit"),
        ({"c.weight": torch.ones(2, 1, 3, 3)}, ["c"], "does not tell what it is"),
    ],
)
def test_what_is_refused(state, layers, words):
    with pytest.raises(ConfigError, match=words):
        from_snntorch(state, layers)


def test_spikingjelly_arguments():
    with pytest.raises(ConfigError, match=r"tau=0\.5"):
        from_spikingjelly({}, [("n", JellyNeuron(0.5))])
    with pytest.raises(ConfigError, match="'fc' is not in the state_dict"):
        from_spikingjelly({}, ["fc"])


@pytest.mark.parametrize("framework", PEERS.NIR_PEERS)
def test_nir_in_another_framework(framework, membranes):
    """Where the framework is installed (benchmarks/peers.sh); results/bench/exchange.json has all of them."""
    pytest.importorskip("nirtorch", reason="nirtorch is not installed: benchmarks/peers.sh")
    pytest.importorskip({"snnTorch": "snntorch", "SpikingJelly": "spikingjelly", "Norse": "norse"}[framework])
    if framework == "Norse":
        pytest.skip("Norse 1.1.0 leaves r out and its reset to Python: docs/exchange.md")
    torch.manual_seed(0)
    model = snn.Sequential(
        nn.Linear(6, 20), snn.LIF(leak=0.875, reset="zero"), nn.Linear(20, 8), snn.CubaLIF(reset="zero")
    )
    x = 2 * torch.randn(30, 2, 6)
    with torch.no_grad(), PEERS.quiet():
        assert torch.equal(PEERS.NIR_PEERS[framework](to_nir(model), x), model(x)[0])
