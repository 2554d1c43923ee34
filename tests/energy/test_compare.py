"""A spiking network beside its dense counterparts: sizes, ratio, cap and break-even by hand."""

import copy

import pytest
import torch
from torch import nn

import spikeseq.nn as snn
from spikeseq.energy import compare, count, price
from spikeseq.energy.compare import rows
from spikeseq.errors import ConfigError
from spikeseq.nn.spiking import as_spiking

L, B, I, H = 6, 3, 4, 8
X = torch.randn(L, B, I, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    def __init__(self, rnn):
        super().__init__()
        self.rnn, self.readout = rnn, nn.Linear(rnn.hidden_size, 2)

    def forward(self, x):
        return self.readout(self.rnn(x)[0][-1])


def busy(layer):
    """Large weights, so that there are spikes."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, p in layer.named_parameters():
            if "weight" in name or "bias" in name:
                p.normal_(0, 1.5)
    return layer


@pytest.mark.parametrize("kind", [snn.QuantizedLSTM, snn.SpikingLSTM, snn.StreamLSTM])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_four_networks(kind, layers):
    model = Net(busy(kind(I, H, layers, time_steps=2)))
    found = compare(model, X)
    assert list(found.counts) == ["LSTM", "hard LSTM", "2-level LSTM", "spiking"]
    lstm = sum(4 * H * (width + H) + 3 * H for width in (I, H)[:layers]) + 2 * H / L  # the readout, once a sequence
    for label in ("LSTM", "hard LSTM"):
        assert found.counts[label].macs_per_element == pytest.approx(lstm)
        assert found.counts[label].acs_per_element == 0
    assert found.counts["spiking"] == count(as_spiking(model), X)
    low = found.counts["2-level LSTM"].per_element("low_macs")
    assert low == sum(4 * H * H + 3 * H for _ in range(layers)) + 4 * H * H * (layers - 1) + 2 * H / L
    assert found.counts["2-level LSTM"].per_element("low_bits") == 2 * low  # 0, 1, 2 are 2 bits
    assert found.cap == pytest.approx((lstm - 2 * H / L) / (4 * H * I))
    spikes = found.counts["spiking"].per_element("spikes")
    assert found.spike_rate == pytest.approx(spikes / (H * layers * 2))
    assert found.spike_rate > 0.05


@pytest.mark.parametrize("memory", ["none", "sram"])
@pytest.mark.parametrize("form", ["fp32", "int8"])
def test_break_even(form, memory):
    """A network with so many spikes costs what the LSTM costs: energy is a straight line over the rate."""
    model = Net(busy(snn.SpikingLSTM(I, H, time_steps=1)))  # unit spikes: as many events as spikes
    found = compare(model, X)
    rate = found.break_even("LSTM", form, memory)
    own = price(found.counts["spiking"], form, memory).pj_per_element
    goal = price(found.counts["LSTM"], form, memory).pj_per_element
    quiet = Net(busy(snn.SpikingLSTM(I, H, time_steps=1)))
    with torch.no_grad():
        quiet.rnn.bias_ih_l0.view(4, H)[3] = -1e6  # the output gate stays shut
    silent = compare(quiet, X)
    assert silent.spike_rate == 0
    base = price(silent.counts["spiking"], form, memory).pj_per_element
    assert rate == pytest.approx(found.spike_rate * (goal - base) / (own - base), rel=1e-6)
    assert silent.break_even("LSTM", form, memory) is None


def test_a_first_layer_without_multiplications_sets_no_cap():
    assert compare(busy(snn.SpikingLSTM(I, H, input_encoding="delta")), X).cap is None
    assert compare(busy(snn.SpikingLSTM(I, H)), (X > 0).float()).cap is None


def test_encoded_inputs_cost_less():
    networks = {code: busy(snn.SpikingLSTM(I, H, input_encoding=code)) for code in ("direct", "int8", "delta")}
    energy = {code: compare(m, X).energy("fp32")["spiking"] for code, m in networks.items()}
    assert energy["int8"] < energy["direct"]
    assert compare(networks["int8"], X).counts["spiking"].per_element("int8_macs") == 4 * H * I


def test_rows():
    lines = rows(compare(Net(busy(snn.SpikingLSTM(I, H))), X))
    assert [line["network"] for line in lines] == ["LSTM", "hard LSTM", "2-level LSTM", "spiking"]
    for line in lines:
        for form in ("fp32", "fp16", "int32", "int8"):
            for memory in ("none", "sram"):
                assert line[f"{form}_{memory}_ratio"] == pytest.approx(
                    lines[0][f"{form}_{memory}_pj"] / line[f"{form}_{memory}_pj"]
                )


def test_nothing_that_spikes():
    with pytest.raises(ConfigError, match="no spiking or quantised layer; convert it first"):
        compare(nn.LSTM(I, H), X)


def test_several_batches_and_pairs():
    model = Net(busy(snn.SpikingLSTM(I, H)))
    whole = compare(model, X)
    parts = compare(model, ((part, None) for part in X.split(1, dim=1)))  # a generator is used once only
    assert parts.counts == whole.counts


def test_a_layer_that_stays_silent_lowers_the_rate():
    model = busy(snn.SpikingLSTM(I, H, 2))
    with torch.no_grad():
        model.bias_ih_l0.view(4, H)[3] = -1e6
    found = compare(model, X)
    first, second = found.counts["spiking"].per_layer
    assert (first.spikes, second.spikes > 0) == (0, True)
    assert found.spike_rate == pytest.approx(second.spikes / (2 * L * B * H * 2))


def test_a_model_that_hands_on_lengths():
    class Padded(Net):
        def forward(self, x, lengths=None):
            return self.readout(self.rnn(x, lengths=lengths)[0][-1])

    found = compare(Padded(busy(snn.SpikingLSTM(I, H))), {"x": X, "lengths": [6, 4, 1]})
    assert {c.elements for c in found.counts.values()} == {11}


def test_break_even_of_a_network_of_events():
    """Events of the data stay when no neuron spikes: without spikes it costs what the network with silent neurons costs."""
    torch.manual_seed(0)
    model = snn.PictureClassifier((2, 9, 9), 3, channels=(4, 5), hidden_size=6).eval()
    frames = (torch.rand(2, 5, 2, 9, 9) < 0.2).float()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, snn.LIF):
                module.threshold.fill_(0.05)
    found = compare(model, frames)
    silent = copy.deepcopy(model)
    with torch.no_grad():
        for module in silent.modules():
            if isinstance(module, snn.LIF):
                module.threshold.fill_(1e6)
    left = count(silent, frames)
    assert left.acs_per_element > 100
    assert found.counts["spiking"].acs_per_element > left.acs_per_element
    for form, memory in (("int32", "none"), ("fp32", "sram")):
        own = price(found.counts["spiking"], form, memory).pj_per_element
        quiet = price(left, form, memory).pj_per_element
        other = price(found.counts["LSTM"], form, memory).pj_per_element
        rate = found.spike_rate * (other - quiet) / (own - quiet)
        assert found.break_even("LSTM", form, memory) == pytest.approx(rate, rel=1e-6)


def test_multi_bit_outputs_have_a_cap_and_no_break_even():
    """Their cost is products of few bits, which no spike rate tells."""
    found = compare(Net(busy(snn.GatedCurrent(I, H)).eval()), X)
    lstm = sum(c.macs for c in found.counts["LSTM"].per_layer if c.recurrent) / (L * B)
    assert found.cap == pytest.approx(lstm / (2 * H * I))
    assert found.break_even("LSTM", "fp32") is None


def test_dense_networks_to_the_last_word():
    (rnn,) = count(snn.RNN(I, H), X).per_layer
    assert rnn.weight_reads == L * B * (H * (I + H) + H)  # one bias
    (hard,) = count(snn.HardLSTM(I, H), X).per_layer
    assert hard.weight_words * L * B == hard.weight_reads  # weights, biases and ranges, each read once an element
    (coded,) = count(snn.QuantizedLSTM(I, H, time_steps=2, input_encoding="delta"), X).per_layer
    assert coded.int8_macs == 0  # weights of full width
    assert coded.low_macs == L * B * (4 * H * (I + H) + 3 * H)
