"""NeuroBench's metrics: equal to neurobench itself where it can measure, by hand where it cannot."""

import json

import pytest
import torch
from torch import nn

import spikeseq.nn as snn
from spikeseq.energy import neurobench
from spikeseq.errors import ConversionError, DataError
from spikeseq.nn import observing

B, L, I, H = 3, 5, 4, 6


def sparse(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in module.parameters():
            p.mul_((torch.rand(p.shape, generator=generator) > 0.3).float())
    return module


class Spiking(nn.Module):
    """snnTorch neurons between Linear layers, over time."""

    def __init__(self, leaky):
        super().__init__()
        self.one, self.neurons, self.two, self.last = nn.Linear(I, H), leaky(beta=0.9), nn.Linear(H, 2), leaky(beta=0.9)

    def forward(self, x):
        # passed None, snnTorch goes on from the last call's membrane
        first, second = self.neurons.reset_mem(), self.last.reset_mem()
        out = []
        for n in range(x.shape[1]):
            spikes, first = self.neurons(self.one(x[:, n]), first)
            spikes, second = self.last(self.two(spikes), second)
            out.append(spikes)
        return torch.stack(out, 1)


def theirs(net: nn.Module, x: torch.Tensor) -> dict:
    """What neurobench says."""
    import snntorch
    from neurobench.metrics.static import ConnectionSparsity, Footprint
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
    from neurobench.models import TorchModel

    model = TorchModel(net)
    model.add_activation_module(snntorch.SpikingNeuron)
    model.register_hooks()
    data = (x, None)
    with torch.no_grad():
        answer = model(x)
    found = {
        "Footprint": Footprint()(model), "ConnectionSparsity": ConnectionSparsity()(model),
        "ActivationSparsity": ActivationSparsity()(model, answer, data),
        "SynapticOperations": {k: float(v) for k, v in SynapticOperations()(model, answer, data).items()},
    }  # fmt: skip
    model.cleanup_hooks()
    return found


class Convolutional(nn.Module):
    """A rate-free network: convolution, ReLU, readout."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.readout = nn.Conv1d(I, H, 3, padding=1), nn.ReLU(), nn.Linear(H * L, 2)

    def forward(self, x):
        return self.readout(self.relu(self.conv(x.transpose(1, 2))).flatten(1))


@pytest.mark.parametrize("kind", ["spiking", "convolutional", "binary"])
def test_equal_to_neurobench_where_it_can_measure(kind):
    pytest.importorskip("neurobench", reason="neurobench is not installed (make test installs it)")
    import snntorch

    torch.manual_seed(0)
    net = sparse(Convolutional() if kind == "convolutional" else Spiking(snntorch.Leaky)).eval()
    x = 3 * torch.randn(B, L, I)
    if kind == "binary":
        x = (x > 0).float()
    ours, expected = neurobench(net, x, activations=(snntorch.SpikingNeuron,)), theirs(net, x)
    assert ours["SynapticOperations"] == expected["SynapticOperations"]
    assert ours["ActivationSparsity"] == expected["ActivationSparsity"]
    assert ours["ConnectionSparsity"] == expected["ConnectionSparsity"]
    assert ours["Footprint"] == expected["Footprint"]
    assert expected["SynapticOperations"]["Effective_MACs"] + expected["SynapticOperations"]["Effective_ACs"] > 0
    if kind == "binary":
        assert expected["SynapticOperations"]["Effective_MACs"] == 0


@pytest.mark.parametrize("packets", [None, 1])
def test_spiking_lstm_by_hand(packets):
    """Two layers: input MACs, then a row of weights for every spike."""
    rnn = sparse(snn.SpikingLSTM(I, H, 2, time_steps=2, max_packet=packets, batch_first=True))
    with torch.no_grad():
        for name, p in rnn.named_parameters():
            if "weight" in name:
                p.mul_(6)
    x = torch.randn(B, L, I, generator=torch.Generator().manual_seed(1))
    found = neurobench(rnn, x)
    with torch.no_grad(), observing() as seen:
        rnn(x)
    weights = {name: (p != 0).double() for name, p in rnn.named_parameters()}
    macs = float(x.numel() // I * weights["weight_ih_l0"].sum())
    acs = 0.0
    for layer, s in enumerate(seen):
        spikes = s.output.abs().double()
        acs += float((spikes[:-1] @ weights[f"weight_hh_l{layer}"].t()).sum())
        if layer == 0:
            acs += float((spikes @ weights["weight_ih_l1"].t()).sum())
    assert acs > 0
    operations = found["SynapticOperations"]
    assert operations["Effective_MACs"] == pytest.approx(macs / B)
    assert operations["Effective_ACs"] == pytest.approx(acs / B)
    dense = L * (4 * H * I + 2 * 4 * H * H + 2 * 4 * H * H + 2 * 4 * H * H)
    assert operations["Dense"] == dense
    values = torch.stack([s.output for s in seen])
    assert found["ActivationSparsity"] == pytest.approx(float((values == 0).double().mean()))
    assert json.loads(json.dumps(found)) == found


def test_a_delta_coded_input_accumulates():
    """As energy.count has it: no product is left, changes are spikes."""
    rnn, x = snn.SpikingLSTM(I, H, input_encoding="delta", batch_first=True), torch.rand(B, L, I)
    with torch.no_grad():
        rnn.bias_ih_l0.view(4, H)[3] = -1e6  # nothing but the input
    k = (x / rnn.input_step_l0 + 0.5).floor().double()
    changes = float(k[:, 0].sum() + k.diff(dim=1).abs().sum())
    found = neurobench(rnn, x)["SynapticOperations"]
    assert (found["Effective_MACs"], found["Effective_ACs"]) == (0, pytest.approx(4 * H * changes / B))


def test_neurobench_itself_raises_on_an_lstm():
    """docs/differences.md says so; a version that can is news."""
    pytest.importorskip("neurobench", reason="neurobench is not installed (make test installs it)")
    with pytest.raises(TypeError, match="exceptions must derive from BaseException"):
        theirs(nn.Sequential(nn.LSTM(I, H, batch_first=True)), torch.randn(B, L, I))


def test_padding_is_left_out():
    rnn = snn.SpikingLSTM(I, H, batch_first=True)
    x = torch.randn(2, L, I)
    padded = neurobench(rnn, {"x": x, "lengths": [L, 2]})
    rows = [neurobench(rnn, row.unsqueeze(0))["SynapticOperations"] for row in (x[0], x[1, :2])]
    for name, value in padded["SynapticOperations"].items():
        assert value == pytest.approx(sum(row[name] for row in rows) / 2)


def test_dense_lstm():
    """What makes neurobench 2.3.0 raise: nn.LSTM."""
    for layer in (nn.LSTM(I, H, batch_first=True), snn.LSTM(I, H, batch_first=True)):
        found = neurobench(layer, torch.randn(B, L, I))
        assert found["SynapticOperations"]["Dense"] == L * (4 * H * (I + H) + 3 * H)
        assert found["Footprint"] == 4 * sum(p.numel() for p in layer.parameters())
    first = neurobench(nn.LSTM(I, H, batch_first=True), torch.zeros(B, L, I))["SynapticOperations"]
    assert first["Effective_MACs"] + first["Effective_ACs"] == L * (4 * H * H + 3 * H)


def test_errors():
    with pytest.raises(DataError, match="batches is empty"):
        neurobench(nn.Linear(2, 2), [])
    with pytest.raises(ConversionError, match=r"module '1' \(BatchNorm1d\)"):
        neurobench(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), torch.zeros(2, 2))
