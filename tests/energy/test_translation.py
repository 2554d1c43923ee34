"""Counts of translation networks by hand, and the proof that the spiking one with shift attention only accumulates."""

import pytest
import torch

from spikeseq.energy import assert_accumulate_only, audit, compare, count
from spikeseq.energy.compare import has_counterparts
from spikeseq.nn import GradedLIF
from spikeseq.nn.observe import observing
from spikeseq.nn.translation import translator
from spikeseq.nn.translation.attention import Attention
from spikeseq.nn.translation.block import GatedSum
from spikeseq.nn.translation.graded import GradedLinear

LOOK_UPS = ["encoder.to_current", "decoder.to_current"]  # W e: tokens and positions are finitely many, a table holds it


def only(counts):
    (layer,) = counts.per_layer
    return layer


def test_graded_spikes_cost_an_addition_for_each_unit_spike_and_output():
    layer, x = GradedLinear(3, 5, 4), torch.tensor([[0.5, -1.0, 0.1], [0.0, 0.26, 2.0]])
    found = only(count(layer, x))  # k = 2, -4, 0; 0, 1, 4: 11 unit spikes
    assert (found.acs, found.macs, found.spikes, found.comparisons) == (55, 0, 11, 48)
    layer.levels = 0
    assert (only(count(layer, x)).macs, only(count(layer, x)).acs) == (30, 0)


def test_attention_by_hand():
    query = torch.tensor([[[1.0, -1, 0], [0, 0, 1]]])  # two elements, width 3
    key = torch.tensor([[[1.0, 1, 0], [0, 1, 1], [1, 1, 1]]])
    value = torch.tensor([[[1.0, 0, 0], [0, 0.5, 0], [1, 1, 1]]])
    given = {"query": query, "key": key, "value": value, "there": torch.tensor([[True, True, False]])}
    assert only(count(Attention("softmax"), given)).macs == 2 * 2 * 2 * 3
    found = only(count(Attention("shift"), given))
    # spikes that meet: query 0 with key 0: 2, with key 1: 1; query 1 with key 0: 0, with key 1: 1
    # every weight is above 0: for each of 2 queries the values' 2 + 1 unit spikes of 1 / 2
    assert (found.macs, found.acs) == (0, 4 + 2 * 3)


def test_what_two_populations_send_together():
    r, a = torch.zeros(2, 1, 3), torch.tensor([[[1.0, 1, 0]], [[0, 1, 1]]])
    b = torch.tensor([[[1.0, 0, 0]], [[1, 1, 1]]])
    found = only(count(GatedSum(3, "lif"), {"r": r, "a": a, "b": b}))
    assert (found.macs, found.neuron_updates, found.comparisons) == (0, 3, 6)
    found = only(count(GatedSum(3, "relu"), {"r": r, "a": a * 0.7, "b": b}))
    assert (found.macs, found.elementwise) == (12, 12)


class Pair(torch.nn.Module):
    """Graded spikes of A and gates B, and what both make."""

    def __init__(self):
        super().__init__()
        self.values = GradedLIF(levels=2, threshold=1.0)
        self.gates = GradedLIF(levels=2, threshold=1.0, gate=True)
        self.sum = GatedSum(3, "graded_lif")

    def forward(self, r, a, b):
        return self.sum(r, self.values(a)[0], self.gates(b)[0])


def test_graded_spikes_meet_each_with_each():
    r, a = torch.zeros(2, 1, 3), torch.tensor([[[1.0, -0.5, 0]], [[0, 1, -1]]])  # k = 2, -1, 0; 0, 2, -2
    b = torch.tensor([[[0.5, 0, 0.5]], [[0.5, -0.5, 0.5]]])  # k = 2, 1, 2; 2, 0, 2
    model = Pair()
    assert model(r, a, b).tolist() == [[[1.0, -0.25, 0]], [[0, 0, -1]]]
    found = {layer.name: layer for layer in count(model, {"r": r, "a": a, "b": b}).per_layer}["sum"]
    assert (found.macs, found.neuron_updates, found.comparisons, found.weight_reads) == (0, 4 + 1 + 4, 6, 3)


@pytest.fixture
def pair():
    g = torch.Generator().manual_seed(0)
    return {
        "source": torch.randint(4, 23, (1, 7), generator=g), "target": torch.randint(4, 23, (1, 5), generator=g),
        "lengths": torch.tensor([7]),
    }  # fmt: skip


def make(cell, attention="softmax", **options):
    torch.manual_seed(0)
    return translator(
        cell, 23, embedding_size=8, hidden_size=16, layers=2, attention=attention, positions=12, options=options
    ).eval()


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("lif", {"leak": 0.5, "dyadic_leak": True}),
        ("if", {}),
        ("graded_lif", {"leak": 0.7, "dyadic_leak": True, "levels": 2, "threshold": 1.0}),
    ],
)
def test_with_shift_attention_it_only_accumulates(pair, cell, options):
    model = make(cell, "shift", **options)
    assert_accumulate_only(model, pair, allow=LOOK_UPS)
    three = translator(cell, 23, 8, 16, 3, attention="shift", positions=12, options=options).eval()
    assert_accumulate_only(three, pair, allow=LOOK_UPS)  # three blocks: no mean over them
    found = count(model, pair)
    macs = {layer.name: layer.macs for layer in found.per_layer if layer.macs}
    assert macs == {"encoder.to_current": 7 * 8 * 16, "decoder.to_current": 5 * 8 * 16}


def test_with_softmax_the_multiplications_are_those_of_attention(pair):
    model = make("lif", leak=0.5, dyadic_leak=True)
    report = audit(model, pair, allow=LOOK_UPS)
    assert {f.module for f in report.findings} == {
        "decoder.attention",
        "decoder.from_context.0",
        "decoder.from_context.1",
    }
    macs = {layer.name: layer.macs for layer in count(model, pair).per_layer if layer.macs}
    assert macs["decoder.attention"] == 2 * 2 * 5 * 7 * 8  # two blocks
    assert macs["decoder.from_context.0"] == 5 * 8 * 16


def test_twins_multiply_by_hand(pair):
    blocks = 2 * (16 * 3 * 32 + 2 * 16)  # convolution and gate, each element
    outside = 8 * 16 + 16 * 8  # W e, and to_key or to_word
    encoder = 7 * (blocks + outside)
    decoder = 5 * (blocks + outside + 2 * (16 * 8 + 8 * 16) + 8 * 23) + 2 * 2 * 5 * 7 * 8
    for cell in ("relu", "glu"):
        found = count(make(cell), pair)
        assert found.macs_per_element * found.elements == encoder + decoder
        assert found.acs_per_element == 0


def test_the_lstm_by_hand(pair):
    found = count(make("lstm"), pair)
    h, e = 16, 8
    directions = 2 * (4 * h * (e + h) + 3 * h) + 2 * (4 * h * (2 * h + h) + 3 * h)
    encoder = 7 * (directions + 2 * h * h) + 2 * 2 * (2 * h * h)  # keys; two bridges of two layers
    decoder = 5 * (4 * h * (e + h) + 3 * h + 4 * h * 2 * h + 3 * h + 3 * h * e + e * 23)
    attention = 5 * 7 * (h + 2 * h)
    assert found.macs_per_element * found.elements == encoder + decoder + attention


def test_the_rate_of_graded_spikes_is_that_of_the_unit_spikes_they_could_send(pair):
    model = make("graded_lif", levels=2, threshold=1.0)
    sent, could = [], []
    with torch.no_grad(), observing() as seen:
        model(**pair)
    for one in seen:
        sent.append(float(one.output.abs().sum()) * 2)
        could.append(one.output.numel() * 2)
    d = {layer.name: layer for layer in count(model, pair).per_layer}[
        "decoder.to_logits"
    ]  # 4 levels, width 8, 5 tokens
    found = compare(model, [pair])
    assert found.spike_rate == pytest.approx((sum(sent) + d.spikes) / (sum(could) + 4 * 8 * 5))
    assert found.time_steps == 2


def test_a_spiking_network_beside_its_twins(pair):
    model = make("lif", leak=0.5)
    found = compare(model, [pair])
    assert list(found.counts) == ["LSTM", "GLU", "ReLU", "spiking"]
    for label in ("GLU", "ReLU"):
        assert found.counts[label].per_layer == count(make(label.lower()), pair).per_layer
    assert {counted.elements for counted in found.counts.values()} == {7}  # one sentence, whoever translates it
    one = translator("lstm", 23, embedding_size=8, hidden_size=16, layers=1, positions=12)
    assert found.counts["LSTM"].macs_per_element == count(one, pair).macs_per_element
    assert found.counts["spiking"] == count(model, pair)
    assert 0 < found.spike_rate < 1
    assert found.energy("int32")["ReLU"] > found.energy("int32")["spiking"]
    assert not has_counterparts(make("relu"))
