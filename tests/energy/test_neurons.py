"""LIF and IF networks: counts equal to a machine that does each operation by itself, and what the audit says of them."""

import pytest
import torch
from executor import Machine
from torch import nn

import spikeseq.nn as snn
from spikeseq.energy import assert_accumulate_only, audit, count, neurobench, price
from spikeseq.energy.dense import spike_counts
from spikeseq.energy.registry import Window
from spikeseq.ops.dyadic import signed_powers

L, I, H, O = 9, 3, 6, 4
FIELDS = (
    "macs",
    "elementwise",
    "acs",
    "neuron_updates",
    "comparisons",
    "spikes",
    "weight_reads",
    "state_reads",
    "state_writes",
)
KINDS = {
    "if": lambda: snn.IF(H),
    "if of one threshold": lambda: snn.IF(),
    "if to zero": lambda: snn.IF(H, reset="zero"),
    "lif": lambda: snn.LIF(H, leak=0.9),
    "lif of one leak": lambda: snn.LIF(leak=0.9),
    "dyadic": lambda: snn.LIF(H, leak=0.9, dyadic_leak=True),
    "no memory": lambda: snn.LIF(H, leak=0.0),
    "leak 1": lambda: snn.LIF(H, leak=1.0),
    "cuba": lambda: snn.CubaLIF(H, leak=0.9, current_leak=0.7),
    "cuba of one leak": lambda: snn.CubaLIF(leak=0.9, current_leak=0.875),
}


def network(neurons):
    torch.manual_seed(3)
    model = snn.Sequential(nn.Linear(I, H), neurons, nn.Linear(H, O), snn.Integrator("length")).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.randint(-8, 9, (H, I)) / 8)
    return model


class Neurons:
    """One layer of neurons on the machine: constants of a whole layer stand in registers, those of channels in memory."""

    def __init__(self, machine, layer):
        self.m, self.layer, self.v = machine, layer, [0.0] * H
        self.threshold, self.leak = (p.detach().expand(H).tolist() for p in layer.effective())
        self.i = [0.0] * H
        own = getattr(layer, "current_leak", None)
        self.current_leak = None if own is None else own.detach().expand(H).tolist()

    def element(self, currents):
        m, layer, fired = self.m, self.layer, []
        for j in range(H):
            v, current = m.read(self.v, j), m.read(currents, j)
            if self.current_leak:
                current = self.leaked(j, m.read(self.i, j), current, self.current_leak)
                m.write(self.i, j, current)
            v = self.leaked(j, v, current, self.leak)
            threshold = self.threshold[j] if layer.channels is None else m.read(self.threshold, j, "weight_reads")
            fires = m.at_least(v, threshold)
            if layer.step.reset == "zero":
                v = 0.0 if fires else v
            else:
                v = m.add(v, -threshold if fires else 0.0, "neuron_updates")
            m.write(self.v, j, v)
            if fires:
                m.did["spikes"] += 1
                m.did["state_writes"] += 1  # its address
            fired.append(fires)
        return fired

    def leaked(self, j, v, current, leaks):
        leak = leaks[j]
        if leak in (0.0, 1.0):
            return current if leak == 0 else self.m.add(v, current, "neuron_updates")
        if leak == 0.875:
            return self.m.add(self.m.add(current, v, "neuron_updates"), -v / 8, "neuron_updates")
        leak = leak if self.layer.channels is None else self.m.read(leaks, j, "weight_reads")
        return self.m.mac(current, leak, v, "elementwise")


def dense(machine, layer, x):
    """Every input times every weight."""
    machine.did["state_reads"] += len(x)
    machine.did["weight_reads"] += layer.bias.numel()
    out = []
    for row, bias in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True):
        total = bias
        for j, value in enumerate(x):
            total = machine.mac(total, machine.read(row, j, "weight_reads"), value)
        out.append(total)
        machine.did["state_writes"] += 1
    return out


def events(machine, layer, fired):
    """Accumulators that start at the bias; each spike reads its address and adds its column of weights to them."""
    sums = [0.0] * O
    for j in range(O):
        machine.write(sums, j, machine.read(layer.bias.tolist(), j, "weight_reads"))
    for j, fires in enumerate(fired):
        if fires:
            machine.did["state_reads"] += 1
            column = layer.weight[:, j].tolist()
            for k in range(O):
                weight = machine.read(column, k, "weight_reads")
                machine.write(sums, k, machine.add(machine.read(sums, k), weight))
    return sums


@pytest.mark.parametrize("name", KINDS)
def test_every_operation(name):
    model = network(KINDS[name]())
    torch.manual_seed(5)
    x = torch.randint(-8, 9, (L, 1, I)).double() / 4
    machines = [Machine() for _ in range(4)]
    neurons, total = Neurons(machines[1], model[1]), [0.0] * O
    for element in x[:, 0].tolist():
        sums = events(machines[2], model[2], neurons.element(dense(machines[0], model[0], element)))
        for k in range(O):
            value = machines[3].add(machines[3].read(total, k), machines[3].read(sums, k), "neuron_updates")
            machines[3].write(total, k, value)
    found = [machines[3].mac(0.0, 1 / L, value, "elementwise") for value in total]
    torch.testing.assert_close(torch.tensor(found).double(), model(x)[0][0])  # it computes what the network computes
    assert machines[1].did["spikes"] > 5
    for counted, machine in zip(count(model, x).per_layer, machines, strict=True):
        for field in FIELDS:
            assert getattr(counted, field) == machine.did[field], (counted.name, field)


GRADED = {
    "one leak": lambda: snn.GradedLIF(levels=2, leak=0.9, threshold=1.0),
    "of channels": lambda: snn.GradedLIF(H, levels=4, leak=0.9, threshold=1.0),
    "dyadic": lambda: snn.GradedLIF(H, levels=2, leak=0.875, threshold=1.0),
    "no memory": lambda: snn.GradedLIF(H, levels=1, threshold=1.0),
    "gates": lambda: snn.GradedLIF(H, levels=2, gate=True, leak=1.0),
    "gates without memory": lambda: snn.GradedLIF(levels=4, gate=True),
}


class GradedNeurons(Neurons):
    """Neurons with graded spikes: a comparison for every level, a subtraction for every unit spike."""

    def element(self, currents):
        m, layer, sent = self.m, self.layer, []
        for j in range(H):
            current, leak = m.read(currents, j), self.leak[j]
            v = self.leaked(j, m.read(self.v, j), current, self.leak) if leak else current
            V = self.threshold[j] if layer.channels is None else m.read(self.threshold, j, "weight_reads")
            unit, above = V / layer.levels, v + V / 2 if layer.gate else v  # V / 2 is in the bias
            edges = [(level + 0.5) * unit for level in range(layer.levels)]
            k = sum(m.at_least(above, edge) for edge in edges)
            if not layer.gate:
                k -= sum(m.at_least(-edge, above) for edge in edges)
            for _ in range(abs(k) if leak else 0):
                v = m.add(v, -unit if k > 0 else unit, "neuron_updates")
            if leak:
                m.write(self.v, j, v + (V / 2 if layer.gate else 0.0))
            if k:
                m.did["spikes"] += abs(k)
                m.did["state_writes"] += 1  # the packet
            sent.append(k)
        return sent


def packets(machine, layer, sent, levels):
    """As events, a row of weights read once for a packet and added for each of its unit spikes."""
    sums = [0.0] * O
    for j in range(O):
        machine.write(sums, j, machine.read(layer.bias.tolist(), j, "weight_reads"))
    for j, k in enumerate(sent):
        if k:
            machine.did["state_reads"] += 1
            column = layer.weight[:, j].tolist()
            for o in range(O):
                weight, value = machine.read(column, o, "weight_reads"), machine.read(sums, o)
                for _ in range(abs(k)):
                    value = machine.add(value, (weight if k > 0 else -weight) / levels)
                machine.write(sums, o, value)
    return sums


@pytest.mark.parametrize("name", GRADED)
def test_every_operation_of_graded_spikes(name):
    model = network(GRADED[name]())
    torch.manual_seed(6)
    x = torch.randn(L, 1, I).double()  # no ties
    machines = [Machine() for _ in range(3)]
    neurons, total = GradedNeurons(machines[1], model[1]), torch.zeros(O).double()
    for element in x[:, 0].tolist():
        sent = neurons.element(dense(machines[0], model[0], element))
        total += torch.tensor(packets(machines[2], model[2], sent, model[1].levels)).double()
    torch.testing.assert_close(total / L, model(x)[0][0])
    assert machines[1].did["spikes"] > 5
    for counted, machine in zip(count(model, x).per_layer, machines, strict=False):  # the integrator is tested above
        for field in FIELDS:
            assert getattr(counted, field) == machine.did[field], (counted.name, field)


def test_each_product_counts_the_spikes_of_the_layer_before_it():
    torch.manual_seed(2)
    events = (torch.rand(L, 1, I) < 0.4).double()
    layers = [nn.Linear(I, H), snn.GradedLIF(H, levels=4, threshold=1.0), nn.Linear(H, H), snn.LIF(H), nn.Linear(H, O)]
    model = snn.Sequential(*layers).double()
    with torch.no_grad():
        model[2].bias.fill_(0.7)
    graded = model[1](model[0](events))[0]
    binary = model[3](model[2](graded))[0]
    assert 5 < binary.sum() < binary.numel()
    found = [layer.acs for layer in count(model, events).per_layer]
    assert found[0::2] == [events.sum() * H, 4 * graded.abs().sum() * H, binary.sum() * O]


def test_graded_spikes_only_accumulate():
    model = network(snn.GradedLIF(H, levels=2, leak=0.5, dyadic_leak=True, threshold=1.0)).float()
    x = torch.randn(L, 1, I)
    assert_accumulate_only(model[:3], x, allow=["0"])
    with torch.no_grad():
        model[1].leak.fill_(0.3)
    model[1].rounded = False
    assert [f.module for f in audit(model[:3], x, allow=["0"]).findings] == ["1"]


def test_channels_of_several_kinds_are_counted_one_by_one():
    model = network(snn.LIF(H))
    with torch.no_grad():
        model[1].leak.copy_(torch.tensor([0.0, 1.0, 0.5, 0.75, 0.9, 0.3]))
    layer = count(model, torch.randn(L, 1, I).double()).per_layer[1]
    assert layer.elementwise == layer.macs == 2 * L
    assert layer.neuron_updates == L * (H + 0 + 1 + 1 + 2)  # resets; then 0, 1, 1 and 2 powers of two


@pytest.mark.parametrize(
    ("value", "powers"), [(0, 0), (1, 1), (0.5, 1), (0.75, 2), (255 / 256, 2), (0.6875, 3), (-0.875, 2), (5, 2)]
)
def test_signed_powers(value, powers):
    assert signed_powers(value) == powers


def test_padding_counts_nothing():
    model, lengths = network(snn.IF(H)), [4, 9, 1]
    torch.manual_seed(6)
    x = torch.randn(L, 3, I).double()
    together = count(model, {"input": x, "lengths": lengths})
    alone = [count(model, x[:n, row : row + 1]) for row, n in enumerate(lengths)]
    assert together.elements == sum(lengths)
    for number, layer in enumerate(together.per_layer):
        for field in (*FIELDS, "elements"):
            assert getattr(layer, field) == sum(getattr(c.per_layer[number], field) for c in alone), (layer.name, field)


def test_convolutions_count_their_connections():
    torch.manual_seed(7)
    frames = (torch.rand(L, 2, 2, 5, 5) > 0.8).float()
    layer = snn.SpikingConv2d(2, 3, 3, padding=1, neuron=snn.IF(3))
    first, second = count(layer, frames).per_layer
    reached = sum(
        3 * sum(0 <= i + di < 5 and 0 <= j + dj < 5 for di in (-1, 0, 1) for dj in (-1, 0, 1))
        for *_, i, j in frames.nonzero().tolist()
    )
    assert (first.acs, first.macs) == (reached, 0)
    assert (second.comparisons, second.elements) == (L * 2 * 75, L * 2)
    spikes = (torch.rand(L, 2, 4) > 0.5).float()
    along = snn.SpikingConv1d(4, 6, 3, causal=True, neuron=snn.IF(6))
    taps = sum(min(3, L - n) for n, *_ in spikes.nonzero().tolist())  # windows that see the element
    assert count(along, spikes).per_layer[0].acs == 6 * taps
    assert count(along, torch.randn(L, 2, 4)).per_layer[0].macs == L * 2 * 6 * 12


def test_a_price_comes_out():
    counts = count(network(snn.IF(H)), torch.randn(L, 2, I).double())
    assert 0 < price(counts, "int32").pj_per_element < price(counts, "int32", "sram").pj_per_element


def findings(neurons, readout="none"):
    torch.manual_seed(8)
    model = snn.Sequential(nn.Linear(I, H), neurons, nn.Linear(H, O), snn.Integrator(readout))
    with torch.no_grad():
        model[1].threshold.uniform_(0.2, 0.5)
    return audit(model, {"input": torch.randn(L, 3, I), "lengths": [4, 9, 1]}, allow=["input layer"]).findings


@pytest.mark.parametrize("name", ["if", "if to zero", "dyadic", "no memory", "leak 1"])
def test_accumulate_only(name):
    assert findings(KINDS[name]()) == ()


def test_a_learned_leak_multiplies_until_it_is_rounded():
    layer = snn.LIF(H)
    with torch.no_grad():
        layer.leak.uniform_(0.5, 0.99)
    (finding,) = findings(layer)
    assert (finding.kind, finding.module) == ("element-wise product", "1")
    assert "leak * state.v" in finding.source
    layer.rounded = True
    assert findings(layer) == ()


def test_every_dyadic_leak_passes():
    for k in range(9):
        assert findings(snn.LIF(leak=1 - 2.0**-k)) == (), k
    assert findings(snn.LIF(leak=1 - 3 * 2.0**-7))


def test_division_by_the_length_is_found():
    (finding,) = findings(snn.IF(H), readout="length")
    assert (finding.kind, finding.module) == ("element-wise product", "3")


def test_a_convolutional_network_is_accumulate_only_from_events_to_the_readout():
    torch.manual_seed(9)
    layers = [snn.SpikingConv2d(2, 4, 3, neuron=snn.LIF(4, dyadic_leak=True)), nn.MaxPool2d(2), nn.Flatten()]
    model = snn.Sequential(*layers, nn.Linear(16, H), snn.IF(H), nn.Linear(H, O), snn.Integrator())
    frames = (torch.rand(L, 3, 2, 6, 6) > 0.7).float()
    assert_accumulate_only(model, frames)
    assert count(model, frames).macs_per_element == 0


@pytest.mark.parametrize("divisor", [1, None])
def test_spikes_of_a_pooled_window_are_added_one_by_one(divisor):
    """An average is its sum: the divisor stands in the weights behind it."""
    torch.manual_seed(9)
    pool = nn.AvgPool2d(2, divisor_override=divisor)
    behind = [snn.SpikingConv2d(4, 3, 3, padding=1, neuron=snn.IF(3)), nn.Flatten(), nn.Linear(27, O)]
    model = snn.Sequential(snn.SpikingConv2d(2, 4, 3, padding=1, neuron=snn.IF(4)), pool, *behind, snn.Integrator())
    frames = (torch.rand(L, 3, 2, 6, 6) > 0.5).float()
    assert_accumulate_only(model, frames)
    counts = {layer.name: layer for layer in count(model, frames).per_layer}
    spikes = model[0](frames)[0].detach()
    pooled = spikes.unfold(3, 2, 2).unfold(4, 2, 2).sum((-2, -1))
    assert pooled.max() == 4
    reached = torch.tensor([2.0, 3.0, 2.0])  # outputs of a row that an input reaches, at the border and inside
    adds = float((pooled * (reached[:, None] * reached)).sum()) * 3
    conv = counts["2.conv"]
    assert (conv.macs, conv.acs, conv.spike_acs) == (0, adds, adds)
    assert conv.state_reads == adds + float(pooled.sum())


def test_each_pooling_is_of_the_layer_behind_it():
    """Windows of 16 and of 4; blocks in which all or none fired; counts in the data, which no layer of ours sent."""
    first, second = (snn.SpikingConv2d(1, 1, 1, bias=False, neuron=snn.IF(1)) for _ in range(2))
    layers = [first, nn.AvgPool2d(4), second, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, O), snn.Integrator()]
    model = snn.Sequential(*layers)
    with torch.no_grad():
        for layer in (first, second):
            layer.conv.weight.fill_(1.0)
            layer.neuron.threshold.fill_(1.0)
    frames = torch.zeros(2, 1, 1, 16, 16)
    frames[..., :8, :8] = 1  # four blocks of 16 that all fire, in two elements
    counts = {layer.name: layer for layer in count(model, frames).per_layer}
    assert counts["2.conv"].acs == 2 * 4 * 16
    assert counts["5"].acs == 2 * 4 * O  # one block of four, all of which fired
    assert counts["5"].macs == counts["2.conv"].macs == 0
    events = {layer.name: layer for layer in count(model, 3 * frames).per_layer}
    assert (events["0.conv"].macs, events["0.conv"].acs) == (2 * 256, 0)  # as without a pooling behind


@pytest.mark.parametrize("side", [2, 3, 5, 7])
def test_a_mean_that_is_no_exact_fraction_is_its_spikes(side):
    mean, size = nn.AvgPool2d(side), side * side
    for fired in range(size + 1):
        spikes = (torch.arange(size) < fired).float()
        assert float(spike_counts(mean(spikes.view(1, 1, side, side)), 1, Window(size, size))) == fired
    assert spike_counts(torch.tensor([0.26]), 1, Window(4, 4)) is None
    assert spike_counts(torch.tensor([1.25]), 1, Window(4, 4)) is None  # five of four


def test_neurobench_takes_neurons_for_activations():
    model = network(snn.IF(H))
    x = torch.randn(L, 2, I).double()
    spikes = model[1](model[0](x))[0].detach()
    found = neurobench(model, x)
    assert found["ActivationSparsity"] == pytest.approx(float((spikes == 0).double().mean()))
    rows = len(x)  # it takes the first axis for the batch
    assert found["SynapticOperations"]["Effective_ACs"] == O * float(spikes.sum()) / rows
    assert found["SynapticOperations"]["Effective_MACs"] == L * 2 * I * H / rows - _zeros(model, x) / rows


def _zeros(model, x):
    """Products with a weight that happens to be 0."""
    return float((model[0].weight == 0).sum()) * x.shape[0] * x.shape[1]
