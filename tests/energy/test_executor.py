"""What ``energy.count`` says is what a machine does that runs the network operation by operation: equal, not close."""

import pytest
import torch
from executor import Layer, Machine

import spikeseq.nn as snn
from spikeseq.energy import count
from spikeseq.nn import observing

L, I, H = 12, 3, 6
FIELDS = (
    "macs", "acs", "gated_adds", "neuron_updates", "comparisons", "spikes", "weight_reads", "state_reads", "state_writes",
)  # fmt: skip


def dyadic(layer):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, p in layer.named_parameters():
            if "weight" in name or "bias" in name:
                p.copy_(torch.randint(-24, 25, p.shape, generator=generator) / 4)
            elif "input_step" in name:
                p.copy_(torch.tensor([0.25, 0.5, 0.125]))
    return layer.double()


def machine_layers(layer, machines):
    """The layer's parameters as plain numbers."""
    made = []
    for number, machine in enumerate(machines):
        p = {name: value.tolist() for name, value in layer.part(f"l{number}").items()}
        bias = [a + b for a, b in zip(p["bias_ih"], p["bias_hh"], strict=True)]
        code = layer.kind.encoding.code if number == 0 else "direct"
        made.append(
            Layer(
                machine, p["weight_ih"], p["weight_hh"], bias, p["threshold"], p["clip"], layer.kind.time_steps, code,
                p.get("input_step"), layer.kind.max_packet,
            )
        )  # fmt: skip
    return made


@pytest.mark.parametrize("packet", [None, 1])
@pytest.mark.parametrize("code", ["direct", "delta"])
@pytest.mark.parametrize("time_steps", [1, 2, 4, 8])
def test_every_operation_of_two_layers(time_steps, code, packet):
    layer = dyadic(snn.SpikingLSTM(I, H, 2, time_steps=time_steps, input_encoding=code, max_packet=packet))
    x = torch.randint(-8, 9, (L, 1, I), generator=torch.Generator().manual_seed(1)).double() / 4
    machines = Machine(), Machine()
    first, second = machine_layers(layer, machines)
    sent = [[], []]
    for element in x[:, 0].tolist():
        sent[0].append(first.element(x=element))
        sent[1].append(second.element(below=sent[0][-1]))
    with torch.no_grad(), observing() as seen:
        layer(x)
    for spikes, s in zip(sent, seen, strict=True):  # the machine computes what the layer computes
        assert torch.equal(torch.tensor(spikes).double(), s.output[:, :, 0])
        assert s.output.abs().sum() > 0
    assert max(s.output.abs().max() for s in seen) > 1 or time_steps == 1 or packet  # packets occur
    for counted, machine in zip(count(layer, x).per_layer, machines, strict=True):
        for field in FIELDS:
            assert getattr(counted, field) == machine.did[field], (counted.name, field)
    if code == "delta":
        assert count(layer, x).macs_per_element == 0


def test_the_machine_can_disagree():
    """One spike more or less is seen."""
    layer = dyadic(snn.SpikingLSTM(I, H, time_steps=2))
    x = torch.randint(-8, 9, (L, 1, I), generator=torch.Generator().manual_seed(1)).double() / 4
    machine = Machine()
    (one,) = machine_layers(layer, [machine])
    for n, element in enumerate(x[:, 0].tolist()):
        one.element(x=element)
        if n == 0:
            unit = next(j for j, k in enumerate(one.spikes[0]) if k)
            one.spikes[0][unit] = 0
    assert machine.did["acs"] != count(layer, x).per_layer[0].acs
