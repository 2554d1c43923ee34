"""Operation counts, to the last operation, against a spiking network written out here neuron by neuron."""

import copy
import dataclasses
import json
import math
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

import spikeseq.nn as snn
from spikeseq import runtime
from spikeseq.energy import count
from spikeseq.errors import ConversionError, DataError

L, B, I, H, O = 6, 3, 2, 4, 5


def clip(x, low, high):
    return max(low, min(high, x))


def rounded(u):
    return math.copysign(math.floor(abs(u) + 0.5), u)


def spikes_by_hand(layer: dict, inputs: list, time_steps: int) -> list:
    """One grid layer on one row (docs/equations): inputs [L][T][I] -> spikes [L][T][H]; V = 4, gam = 1, as fresh."""
    hidden = len(layer["hh"][0])
    h = [[0.0] * hidden for _ in range(time_steps)]  # h_t of the element before
    c = [[0.0] * hidden for _ in range(time_steps)]
    spikes = []
    for element in inputs:
        membrane, emitted, y, now = [0.0] * (4 * hidden), [0.0] * hidden, [0.0] * hidden, []
        for t in range(1, time_steps + 1):
            for row in range(4 * hidden):
                drive = sum(w * x for w, x in zip(layer["ih"][row], element[t - 1], strict=True))
                drive += sum(u * x for u, x in zip(layer["hh"][row], h[t - 1], strict=True))
                membrane[row] += drive + layer["b"][row]
            out = []
            for j in range(hidden):
                i, f, g, o = (membrane[block * hidden + j] / t for block in range(4))
                k_i, k_f, k_o = (clip(math.floor(time_steps * (a / 4 + 0.5) + 0.5), 0, time_steps) for a in (i, f, o))
                if t in (1, 2, 4, 8, 16):  # the other replicas coast: A / t would be no shift
                    c[t - 1][j] = (k_f * c[t - 1][j] + k_i * clip(g, -1, 1)) / time_steps
                    y[j] = k_o * clip(c[t - 1][j], -1, 1) / time_steps
                out.append(rounded(t * y[j]) - emitted[j])
                emitted[j] += out[-1]
            now.append(out)
        h = now
        spikes.append(now)
    return spikes


def plain(layer: snn.SpikingLSTM, number: int) -> dict:
    p = layer.state_dict()
    bias = p[f"bias_ih_l{number}"] + p[f"bias_hh_l{number}"]
    weights = {"ih": p[f"weight_ih_l{number}"], "hh": p[f"weight_hh_l{number}"], "b": bias}
    return {name: value.tolist() for name, value in weights.items()}


def total(spikes: list) -> float:
    return sum(abs(s) for element in spikes for step in element for s in step)


class Net(nn.Module):
    """Two recurrent layers (true lengths as given), the last valid output, a readout."""

    def __init__(self, rnn, lengths=None):
        super().__init__()
        self.rnn, self.lengths = rnn, lengths
        self.readout = nn.Linear(H, O)

    def forward(self, x):
        _, state = self.rnn(x, lengths=self.lengths)
        return self.readout(state[0][-1])


def dyadic(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, p in module.named_parameters():
            if "weight" in name or "bias" in name:
                p.copy_(torch.randint(-24, 25, p.shape, generator=generator) / 8)
    return module.double()


def data(rows: int = B) -> torch.Tensor:
    return torch.randint(-8, 9, (L, rows, I), generator=torch.Generator().manual_seed(1)).double() / 4


@pytest.mark.parametrize("lengths", [None, [6, 4, 1]])
@pytest.mark.parametrize("time_steps", [1, 2, 4])
def test_two_spiking_layers_and_a_readout(time_steps, lengths):
    rnn = dyadic(snn.SpikingLSTM(I, H, 2, time_steps=time_steps))
    x = data()
    counts = count(Net(rnn, lengths).double(), [x])

    elements, macs, acs, spikes, readout = 0, 0, [0, 0], [0, 0], 0
    for row in range(B):
        length = lengths[row] if lengths else L
        direct = [[x[n, row].tolist()] * time_steps for n in range(length)]
        first = spikes_by_hand(plain(rnn, 0), direct, time_steps)
        second = spikes_by_hand(plain(rnn, 1), first, time_steps)
        elements += length
        # W x once for each element, then added to T membranes (above: the bias); a spike goes along 4 H recurrent
        # synapses, but those of the last element go nowhere in its own layer
        macs += length * 4 * H * I
        acs[0] += length * 4 * H * time_steps + 4 * H * total(first[:-1])
        acs[1] += length * 4 * H * time_steps + 4 * H * total(first) + 4 * H * total(second[:-1])
        spikes[0] += total(first)
        spikes[1] += total(second)
        readout += O * sum(abs(sum(second[-1][t][j] for t in range(time_steps))) for j in range(H))
    assert min(*spikes, readout) > 0

    one, two, last = counts.per_layer
    assert (one.name, two.name, last.name) == ("rnn.l0", "rnn.l1", "readout")
    assert (one.macs, two.macs, last.macs) == (macs, 0, 0)
    assert (one.acs, two.acs, last.acs) == (*acs, readout)
    assert (one.spikes, two.spikes) == tuple(spikes)
    speaking = {1: 1, 2: 2, 4: 3}[time_steps]
    assert one.gated_adds == two.gated_adds == elements * 3 * H * (math.log2(time_steps) + 1) * speaking
    assert (one.elements, two.elements, last.elements, counts.elements) == (elements, elements, B, elements)
    assert counts.macs_per_element == macs / elements
    assert counts.acs_per_element == pytest.approx((sum(acs) + readout) / elements)


@pytest.mark.parametrize("kind", [snn.LSTM, snn.GRU, snn.HardLSTM, snn.QuantizedLSTM, snn.SpikingLSTM, snn.StreamLSTM])
@pytest.mark.parametrize("both", [False, True])
def test_padding_is_no_work(kind, both):
    """A padded batch costs what its rows cost alone, whatever stands in the padding."""
    rnn = dyadic(kind(I, H, 2, bidirectional=both))
    x, lengths = data(), [6, 4, 1]
    dirty = x.clone()
    for row, length in enumerate(lengths):
        dirty[length:, row] = 77.0
    together = count(Net(rnn, lengths).double(), [dirty])
    alone = count(Net(rnn).double(), [x[:length, row : row + 1] for row, length in enumerate(lengths)])
    assert together == alone
    assert together.elements == sum(lengths)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(("fused", "gates"), [(nn.LSTM, 4), (nn.GRU, 3)])
def test_fused_layers(fused, gates, layers, both, first):
    model = fused(I, H, layers, bidirectional=both, batch_first=first)
    x = torch.zeros(B, L, I) if first else torch.zeros(L, B, I)
    counts = count(model, [x])
    directions = 1 + both
    expected = [
        L * B * (gates * H * ((I if layer == 0 else directions * H) + H) + 3 * H)
        for layer in range(layers)
        for _ in range(directions)
    ]
    assert [layer.macs for layer in counts.per_layer] == expected
    assert counts.elements == L * B
    assert counts.macs_per_element * L * B == sum(expected)
    assert counts.acs_per_element == 0
    own = count({nn.LSTM: snn.LSTM, nn.GRU: snn.GRU}[fused](I, H, layers, bidirectional=both, batch_first=first), [x])
    assert own == counts


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("cell", "fused"), [(nn.LSTMCell, nn.LSTM), (nn.GRUCell, nn.GRU)])
def test_cells_in_a_loop_cost_what_the_fused_layer_costs(cell, fused, bias):
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.l0 = cell(I, H, bias=bias)

        def forward(self, x):
            state = None
            for element in x:
                state = self.l0(element, state)
            return state

    x = torch.zeros(L, B, I)
    assert count(Loop(), [x]) == count(fused(I, H, bias=bias), [x])


def test_a_cell_of_an_rnn():
    assert count(nn.RNNCell(I, H), [torch.zeros(B, I)]).macs_per_element == H * (I + H)


@pytest.mark.parametrize("kind", [snn.SpikingLSTM, snn.StreamLSTM])
def test_spikes_of_a_given_state_are_added(kind):
    """A sequence in two parts costs what it costs in one: the second part hears the last spikes of the first."""
    layer, x = dyadic(kind(I, H, time_steps=4)), data()
    state = layer(x[:4])[1]
    assert (state.h != 0).any()
    first, rest, whole = count(layer, x[:4]), count(layer, {"x": x[4:], "state": state}), count(layer, x)
    assert first.per_layer[0].plus(rest.per_layer[0]) == whole.per_layer[0]


def test_layers_without_bias():
    """No bias is read or added: 4 H reads less, and in a layer above 4 H T adds."""
    x = data()
    for own, torch_own in ((snn.LSTM, nn.LSTM), (snn.GRU, nn.GRU)):
        assert count(own(I, H, 2, bias=False), x.float()) == count(torch_own(I, H, 2, bias=False), x.float())
    plain, biased = dyadic(snn.SpikingLSTM(I, H, 2, bias=False)), snn.SpikingLSTM(I, H, 2).double()
    with torch.no_grad():
        for name, p in biased.named_parameters():
            p.copy_(plain.state_dict().get(name, torch.zeros_like(p)))
    for number, (a, b) in enumerate(zip(count(plain, x).per_layer, count(biased, x).per_layer, strict=True)):
        assert a.spikes == b.spikes > 0
        assert b.acs - a.acs == (0, L * B * 4 * H * 2)[number]
        assert b.weight_reads - a.weight_reads == L * B * 4 * H * (1, 2)[number]
        assert b.weight_words - a.weight_words == 4 * H


def test_projected_lstm():
    """h of size P: 4 H (I + P) + 3 H products and its own projection, P H; layers above take P inputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, on CPU
        one, two = count(nn.LSTM(I, H, 2, proj_size=3), [torch.zeros(L, B, I)]).per_layer
    assert one.macs == L * B * (4 * H * (I + 3) + 3 * H + 3 * H)
    assert two.macs == L * B * (4 * H * (3 + 3) + 3 * H + 3 * H)
    assert two.state_writes == L * B * (3 + H)


def test_each_module_keeps_its_mode():
    model = nn.Sequential(nn.Linear(I, H), nn.BatchNorm1d(H)).train()
    model[1].eval()
    count(model, [torch.zeros(B, I)])
    assert [m.training for m in model.modules()] == [True, True, False]


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("code", ["int8", "delta"])
def test_encoded_inputs(code, both):
    """int8: 4 H I products of 8 bits; delta: 4 H adds for each step of change, in the order of each direction."""
    layer, lengths, x = dyadic(snn.SpikingLSTM(I, H, input_encoding=code, bidirectional=both)), [6, 4, 1], data()
    with torch.no_grad():
        for name, p in layer.named_parameters():
            if "input_step" in name:
                p.fill_(0.5)
    quiet = copy.deepcopy(layer)
    with torch.no_grad():
        for name, p in quiet.named_parameters():
            if "bias_ih" in name:
                p.view(4, H)[3] = -1e6  # the output gate stays shut: what is left comes from the input
    found = count(quiet, {"x": x, "lengths": lengths})
    elements = sum(lengths)
    for part, counted in enumerate(found.per_layer):
        rows = [x[:n, row].flip(0) if part else x[:n, row] for row, n in enumerate(lengths)]
        sent = [[[int(rounded(v / 0.5)) for v in element] for element in row.tolist()] for row in rows]
        changes = sum(
            abs(k - b)
            for row in sent
            for e, before in zip(row, [[0] * I, *row], strict=False)
            for k, b in zip(e, before, strict=True)
        )
        assert counted.spikes == 0
        constant = elements * 4 * H * 2
        if code == "int8":
            assert (counted.macs, counted.int8_macs, counted.acs) == (
                elements * 4 * H * I,
                elements * 4 * H * I,
                constant,
            )
        else:
            assert (counted.macs, counted.acs) == (0, constant + 4 * H * changes)
            assert counted.spike_acs == 0


def test_lstm_and_gru_of_one_unit():
    """4 H (I + H) + 3 H = 11 for one unit and one input; a GRU 3 H (I + H) + 3 H = 9."""
    assert count(nn.LSTM(1, 1), [torch.zeros(1, 1, 1)]).macs_per_element == 11
    assert count(nn.GRU(1, 1), [torch.zeros(1, 1, 1)]).macs_per_element == 9


def test_one_unbatched_sequence():
    assert count(nn.LSTM(I, H), [torch.zeros(L, I)]) == count(nn.LSTM(I, H), [torch.zeros(L, 1, I)])


def test_batches_add_up_and_targets_are_ignored():
    model, x = dyadic(snn.SpikingLSTM(I, H)), data(8)
    whole = count(model, [x])
    assert count(model, x.split(3, dim=1)) == whole
    assert count(model, [(part, None) for part in x.split(3, dim=1)]) == whole
    assert count(model, [[part, None] for part in x.split(3, dim=1)]) == whole


def test_linear_on_analog_values():
    counts = count(nn.Sequential(nn.Linear(I, O), nn.ReLU(), nn.Linear(O, H)), [torch.randn(L, B, I)])
    assert [layer.macs for layer in counts.per_layer] == [L * B * I * O, L * B * O * H]
    assert counts.acs_per_element == 0


@pytest.mark.parametrize("time_steps", [1, 2, 4])
def test_a_readout_of_a_quantised_layer_multiplies_by_few_bits(time_steps):
    """The dense twin of a spiking network sends numbers k / T: products of ceil(log2(T + 1)) bits, no spikes."""
    readout = count(Net(dyadic(snn.QuantizedLSTM(I, H, time_steps=time_steps))).double(), data()).per_layer[-1]
    assert (readout.macs, readout.low_macs, readout.acs) == (B * O * H, B * O * H, 0)
    assert readout.low_bits == B * O * H * {1: 1, 2: 2, 4: 3}[time_steps]


def test_a_linear_before_the_spikes_multiplies():
    """The layer behind the spikes accumulates; one in front of them sees analog values."""
    model = nn.Sequential(nn.Linear(3, I), snn.SpikingLSTM(I, H)).double()
    counts = {layer.name: layer for layer in count(model, [torch.randn(L, B, 3).double()]).per_layer}
    assert (counts["0"].macs, counts["0"].acs) == (L * B * 3 * I, 0)


def test_a_second_readout_layer_multiplies():
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.one, self.two = snn.SpikingLSTM(I, H), nn.Linear(H, O), nn.Linear(O, 2)

        def forward(self, x):
            return self.two(torch.sigmoid(self.one(self.rnn(x)[0][-1])))

    counts = {layer.name: layer for layer in count(dyadic(Head()), [data()]).per_layer}
    assert (counts["two"].macs, counts["two"].acs) == (B * O * 2, 0)
    assert counts["one"].macs == 0


def test_a_readout_of_every_element_does_not_count_padding_as_elements():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.readout = snn.LSTM(I, H), nn.Linear(H, O)

        def forward(self, x):
            return self.readout(self.rnn(x, lengths=[6, 4, 1])[0])

    assert count(Tagger().double(), [data()]).elements == 11


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, snn.LSTM, snn.SpikingLSTM])
def test_packed_sequences(kind):
    """Packed inside forward or given as a batch: rows of 6, 4 and 1 elements cost what they cost alone."""

    class Packer(nn.Module):
        def __init__(self, rnn):
            super().__init__()
            self.rnn = rnn

        def forward(self, x):
            return self.rnn(pack_padded_sequence(x, [6, 4, 1]))[0].data

    rnn, x = dyadic(kind(I, H)), data()
    rows = [x[:length, row] for row, length in enumerate((6, 4, 1))]
    alone = count(rnn, [row.unsqueeze(1) for row in rows])
    given = count(rnn, [pack_sequence(rows)])
    inside = count(Packer(rnn), [x])
    assert given == alone
    assert (inside.elements, inside.per_layer[0].macs, inside.per_layer[0].acs) == (
        11, alone.per_layer[0].macs, alone.per_layer[0].acs,
    )  # fmt: skip


def test_input_by_keyword():
    class Keyword(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.readout = nn.LSTM(I, H), nn.Linear(H, O)

        def forward(self, x):
            return self.readout(input=self.rnn(input=x)[0])

    counts = count(Keyword(), [torch.zeros(L, B, I)])
    assert [layer.macs for layer in counts.per_layer] == [L * B * (4 * H * (I + H) + 3 * H), L * B * H * O]


def test_unknown_layers_with_weights_are_an_error():
    model = nn.Sequential(nn.Linear(I, H), nn.Sequential(nn.PReLU()))
    with pytest.raises(ConversionError, match=r"module '1.0' \(PReLU\) has weights and no counting rule"):
        count(model, [torch.zeros(B, I)])
    count(nn.Sequential(nn.Linear(I, H), nn.ReLU(), nn.Dropout()), [torch.zeros(B, I)])  # nothing to count is fine


def test_no_batches():
    with pytest.raises(DataError, match=r"batches is empty, .* pass at least one"):
        count(nn.LSTM(I, H), [])


def test_plain_values_and_no_hooks_left():
    model = nn.LSTM(I, H)
    counts = count(model, [torch.zeros(L, B, I)])
    found = counts.to_dict()
    assert found["macs_per_element"] == counts.macs_per_element
    assert found["per_layer"][0] == dataclasses.asdict(counts.per_layer[0])
    assert json.loads(json.dumps(found)) == found
    assert not model._forward_hooks


@pytest.mark.parametrize(
    "model", [nn.Linear(I, O), nn.Conv1d(I, O, 1), snn.SpikingLSTM(I, H), snn.SpikingLSTM(I, H, 2)]
)
def test_a_row_of_zeros_or_ones_is_counted_as_the_others(model):
    """Whether a layer multiplies is decided over all batches: their size changes no count."""
    shape = (B, I, I) if isinstance(model, nn.Conv1d) else (L, B, I)
    rows = 0 if isinstance(model, nn.Conv1d) else 1
    x = torch.randn(shape)
    x.select(rows, 1).zero_()
    x.select(rows, 2).sign_()
    whole = count(model, x)
    assert count(model, x.split(1, rows)) == whole
    assert count(model, list(reversed(x.split(1, rows)))) == whole
    assert whole.per_layer[0].macs > 0
    binary = (x > 0).float()
    assert count(model, binary.split(1, rows)) == count(model, binary)
    assert count(model, binary).per_layer[0].macs == 0
    assert all(layer.analog is None for layer in whole.per_layer)


LEAKS = {
    0.0: (0, 0),
    0.5: (0, 0),
    0.75: (0, 1),
    0.875: (0, 1),
    0.6875: (0, 2),
    0.9: (1, 0),
}  # products, additions of leak v


@pytest.mark.parametrize(("i", "f", "o"), [(0.5, 0.5, 0.5), (0.75, 0.875, 0.6875), (0.9, 0.9, 0.9), (0.0, 0.75, 0.9)])
def test_a_leak_that_is_a_sum_of_powers_of_two_is_no_product(i, f, o):
    """1 - 2^-k is a shift and a subtraction, as in the audit; each unit's own, learned value decides, in C as well."""
    own = snn.StreamLSTM(I, H, time_steps=2, leak=0.9)
    with torch.no_grad():
        own.leak_l0.copy_(torch.tensor([i, f, o])[:, None].expand(3, H))
    x = data(1).float()
    found, without = (count(m, x).per_layer[0] for m in (own, snn.StreamLSTM(I, H, time_steps=2)))
    products, additions = (sum(LEAKS[leak][k] for leak in (i, f, o)) for k in (0, 1))
    nodes = L * 2 * H
    assert (found.elementwise, found.macs - without.macs) == (products * nodes, products * nodes)
    assert found.neuron_updates - without.neuron_updates == additions * nodes
    stream = runtime.compile(own).stream()
    stream.run(x[:, 0].numpy())
    counted = stream.counters()["l0"]
    assert (counted["elementwise"], counted["neuron_updates"]) == (found.elementwise, found.neuron_updates)
