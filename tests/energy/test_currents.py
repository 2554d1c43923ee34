"""Counts of synaptic currents and adLIF: those of a machine that runs them; the audit; the published count beside ours."""

import current_executor as machine
import pytest
import torch
from executor import Machine
from torch import nn

import spikeseq.nn as snn
from spikeseq.energy import assert_accumulate_only, audit, compare, count, neurobench
from spikeseq.energy.published import corrected_multiplications, published_multiplications
from spikeseq.errors import ConfigError
from spikeseq.nn import observing
from spikeseq.ops.sigma_delta import tracked_range

L, B, I, H, O = 14, 3, 3, 6, 4
FIELDS = (
    "macs", "elementwise", "low_macs", "acs", "gated_adds", "neuron_updates", "comparisons", "spikes", "weight_reads",
    "state_reads", "state_writes",
)  # fmt: skip


def busy(layer):
    """Weights, statistics and ranges as training leaves them: no small dyadic numbers."""
    torch.manual_seed(4)
    layer.double().train()
    with torch.no_grad():
        for name, p in layer.named_parameters():
            if "threshold" in name or "clip" in name:
                p.uniform_(0.7, 2.3)
            elif "norm_gain" in name:
                p.uniform_(6, 12) if isinstance(layer, snn.AdLIF) else p.uniform_(0.8, 1.6)
            elif "bias" in name:
                p.uniform_(-0.5, 0.5)
            elif "leak" in name:
                p.uniform_(0.3, 0.8)
    for _ in range(3):
        layer(torch.randn(L, 8, layer.input_size, dtype=torch.float64))
    return layer.eval()


def folded(layer, number):
    """Weights of one layer with its normalisation, as plain numbers."""
    p = {name: value.detach() for name, value in layer.values(f"l{number}").items()}
    scale = p["norm_gain"] / (p["norm_var"] + 1e-5).sqrt()
    p["weight_ih"], p["bias_ih"] = scale[:, None] * p["weight_ih"], p["bias_ih"] - scale * p["norm_mean"]
    return p


def plain(p, *names):
    return [p[name].tolist() if name in p else None for name in names]


def built(layer, machines):
    """The machine's layers with the same parameters."""
    made, below = [], 1.0
    for number, m in enumerate(machines):
        p, code = folded(layer, number), "direct"
        if isinstance(layer, snn.AdLIF):
            left, u = 1 - p["alpha"], p["weight_hh"]
            p["weight_ih"], p["bias_ih"] = left[:, None] * p["weight_ih"], left * p["bias_ih"]
            p["weight_hh"] = left[:, None] * (u - torch.diag(torch.diagonal(u)))
            p["p"], p["q"] = left * p["p"], left * p["q"]
            rest = dict(zip(("alpha", "beta", "p", "q"), plain(p, "alpha", "beta", "p", "q"), strict=True))
            made.append(machine.AdLIF(m, *plain(p, "weight_ih", "weight_hh", "bias_ih"), **rest))
            continue
        kind = layer.kind
        if isinstance(layer, snn.SpikingGatedCurrent):
            steps = kind.time_steps
            if number == 0 and kind.encoding.code == "delta":
                code, p["weight_ih"] = "delta", p["weight_ih"] * p["input_step"]
            if number:
                p["weight_ih"] = p["weight_ih"] / steps
            p["weight_hh"] = p["weight_hh"] / steps
            made.append(
                machine.Levels(
                    m, *plain(p, "weight_ih", "weight_hh", "bias_ih"), code, threshold=p["threshold"].tolist(),
                    gam=p["clip"].clamp(max=1).tolist(), time_steps=steps, low=-steps if kind.signed else 0, high=steps,
                )
            )  # fmt: skip
            continue
        q = kind.coder.quantizer
        level = float(q.unit(tracked_range(*p["range"])))
        if number:
            p["weight_ih"] = p["weight_ih"] * below
        if "weight_hh" in p:
            p["weight_hh"] = p["weight_hh"] * level
        high = q.levels * (1 - 1e-4)
        options = {"low": -high, "high": high, "dead": q.threshold_levels, "level": level, "nearest": False}
        weights = plain(p, "weight_ih", "weight_hh", "bias_ih")
        if isinstance(layer, snn.LeakyCurrent):
            made.append(machine.Leaky(m, *weights, leak=p["leak"].tolist(), **options))
        else:
            made.append(machine.Published(m, *weights, **options))
        below = level
    return made


CASES = {
    "v2": (snn.GatedCurrent, {"bits": 5, "threshold_levels": 1}),
    "v1": (snn.GatedCurrent, {"bits": 5, "threshold_levels": 0, "variant": "v1"}),
    "leaky": (snn.LeakyCurrent, {"bits": 5, "threshold_levels": 2}),
    "levels 1": (snn.SpikingGatedCurrent, {"time_steps": 1}),
    "levels 4": (snn.SpikingGatedCurrent, {"time_steps": 4, "candidate": "signed"}),
    "levels delta": (snn.SpikingGatedCurrent, {"time_steps": 2, "input_encoding": "delta", "input_levels": 4}),
    "adlif": (snn.AdLIF, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_every_operation_of_two_layers(name):
    kind, options = CASES[name]
    layer = busy(kind(I, H, 2, **options))
    x = torch.randn(L, 1, I, dtype=torch.float64)
    machines = Machine(), Machine()
    first, second = built(layer, machines)
    sent = [[], []]
    for element in x[:, 0]:
        given = element if "delta" not in name else torch.sign(element) * torch.floor(element.abs() * 4 + 0.5)
        sent[0].append(first.element(x=given.tolist()))
        sent[1].append(second.element(below=sent[0][-1]))
    with torch.no_grad(), observing() as seen:
        layer(x)
    for number, (messages, s) in enumerate(
        zip(sent, seen, strict=True)
    ):  # the machine computes what the layer computes
        found = torch.tensor(messages, dtype=torch.float64)
        unit = 1.0
        if isinstance(layer, snn.SpikingGatedCurrent):
            unit = 1 / layer.kind.time_steps
        elif not isinstance(layer, snn.AdLIF):
            unit = layer.kind.coder.quantizer.unit(tracked_range(*layer.values(f"l{number}")["range"]))
        torch.testing.assert_close(found * unit, s.output[:, 0])
        assert 0 < (found != 0).double().mean() < 1
    for counted, m in zip(count(layer, x).per_layer, machines, strict=True):
        for field in FIELDS:
            assert getattr(counted, field) == m.did[field], (counted.name, field)
        if counted.low_macs:
            assert counted.low_bits == 4 * counted.low_macs  # 5 bits with the sign


def test_a_coded_input_and_a_readout_multiply_where_they_are_not_zero():
    """W of the first layer and the readout meet multi-bit values: one low product for each weight of a non-zero."""
    torch.manual_seed(0)
    model = snn.SequenceClassifier(
        I, H, O, "gated_current", options={"input_bits": 4, "bits": 4, "threshold_levels": 1}
    )
    busy(model.rnn)
    model.double().eval()
    x = torch.randn(B, L, I, dtype=torch.float64)
    with torch.no_grad(), observing() as seen:
        model(x)
    inputs, outputs = seen[0].x, seen[0].output
    assert 0 < (inputs != 0).double().mean() < 1
    rnn, readout = count(model, x).per_layer
    heard = int((outputs[:-1] != 0).sum())
    assert rnn.low_macs == 2 * H * (int((inputs != 0).sum()) + heard)
    assert rnn.macs == rnn.low_macs + 2 * H * L * B
    assert rnn.low_bits == 3 * rnn.low_macs
    assert rnn.neuron_updates == L * B * (2 * H + 2 * I)
    assert rnn.comparisons == L * B * (5 * H + 3 * I)
    last = int((outputs[-1] != 0).sum())
    assert 0 < last < B * H
    assert (readout.macs, readout.low_macs, readout.acs) == (O * last, O * last, 0)
    # values that are no levels of a layer cost what they cost anywhere
    with torch.no_grad():
        averaged = snn.SequenceClassifier(I, H, O, "gated_current", pooling="mean").double().eval()
    assert count(averaged, x).per_layer[1].macs == B * H * O


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("both", [False, True])
def test_padding_is_no_work(name, both):
    kind, options = CASES[name]
    layer = busy(kind(I, H, 2, bidirectional=both, **options))
    x, lengths = torch.randn(L, B, I, dtype=torch.float64), [14, 9, 1]
    dirty = x.clone()
    for row, length in enumerate(lengths):
        dirty[length:, row] = 77.0
    together = count(layer, {"x": dirty, "lengths": lengths})
    alone = count(layer, [x[:length, row : row + 1] for row, length in enumerate(lengths)])
    assert together == alone
    assert together.elements == sum(lengths)


def test_padding_costs_no_readout_of_frames():
    model = snn.FrameClassifier(I, H, O, "spiking_gated_current")
    busy(model.rnn)
    model.double()
    x, lengths = torch.randn(B, L, I, dtype=torch.float64), [14, 9, 1]
    together = count(model, {"x": x, "lengths": lengths}).per_layer[1]
    alone = count(model, [x[row : row + 1, :length] for row, length in enumerate(lengths)]).per_layer[1]
    assert (together.acs, together.elements) == (alone.acs, sum(lengths))
    assert together.acs > 0


@pytest.mark.parametrize("name", ["v2", "levels 4", "adlif"])
def test_two_parts_cost_what_one_run_costs(name):
    """What a given state has sent is heard, and counted, by the part that follows."""
    kind, options = CASES[name]
    layer, x = busy(kind(I, H, **options)), torch.randn(L, B, I, dtype=torch.float64)
    state = layer(x[:7])[1]
    assert (state[0] != 0).any()
    first, rest, whole = count(layer, x[:7]), count(layer, {"x": x[7:], "state": state}), count(layer, x)
    one, two = first.per_layer[0].plus(rest.per_layer[0]), whole.per_layer[0]
    for field in FIELDS:
        assert getattr(one, field) == pytest.approx(getattr(two, field)), field


def test_hard_and_dense():
    """As its LSTM relative: 2 H (I + H) + 2 H products, whatever is zero."""
    assert count(snn.HardGatedCurrent(I, H), torch.randn(L, B, I)).macs_per_element == 2 * H * (I + H) + 2 * H
    v1 = snn.HardGatedCurrent(I, H, variant="v1")
    assert count(v1, torch.randn(L, B, I)).macs_per_element == 2 * H * I + 2 * H


LEVELS = {
    "T=1": {"time_steps": 1},
    "T=2": {"time_steps": 2},
    "T=4 signed": {"time_steps": 4, "candidate": "signed"},
    "T=16 v1": {"time_steps": 16, "variant": "v1"},
    "delta": {"time_steps": 2, "input_encoding": "delta", "input_levels": 4},
}


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("model", ["last", "mean", "frames", "both ways"])
def test_only_the_input_layer_multiplies(name, model):
    options = {"num_layers": 2, "options": LEVELS[name]}
    if model == "frames":
        network = snn.FrameClassifier(I, H, O, "spiking_gated_current", **options)
    else:
        pooling = "mean" if model == "mean" else "last"
        both = model == "both ways"
        network = snn.SequenceClassifier(
            I, H, O, "spiking_gated_current", pooling=pooling, bidirectional=both, **options
        )
    busy(network.rnn)
    x = torch.randn(B, 8, I)
    network.float()
    assert_accumulate_only(network, x, allow=[] if name == "delta" else ["input layer"])
    assert count(network, x).per_element("macs") == (
        0 if name == "delta" else (2 if model == "both ways" else 1) * 2 * H * I
    )


@pytest.mark.parametrize(
    ("layer", "found"),
    [
        (snn.GatedCurrent(I, H), {"input layer", "function", "element-wise product"}),
        (snn.GatedCurrent(I, H, input_bits=5), {"function", "element-wise product"}),
        (snn.HardGatedCurrent(I, H), {"input layer", "matrix product", "element-wise product"}),
        (snn.LeakyCurrent(I, H), {"input layer", "element-wise product"}),
        (snn.AdLIF(I, H), {"input layer", "element-wise product"}),
    ],
)  # fmt: skip
def test_what_the_others_multiply(layer, found):
    busy(layer)
    assert {f.kind for f in audit(layer.float(), torch.randn(6, 2, I)).findings} == found


def test_beside_an_lstm_and_a_gru():
    model = snn.SequenceClassifier(I, H, O, "spiking_gated_current", num_layers=2)
    found = compare(model, torch.randn(B, L, I))
    assert list(found.counts) == ["LSTM", "GRU", "spiking"]
    lstm, gru = nn.LSTM(I, H, 2, batch_first=True), nn.GRU(I, H, 2, batch_first=True)
    for label, layer in (("LSTM", lstm), ("GRU", gru)):
        macs = sum(c.macs for c in found.counts[label].per_layer if c.recurrent)
        assert macs == sum(c.macs for c in count(layer, torch.zeros(B, L, I)).per_layer)
    assert found.cap == pytest.approx((4 * H * (I + H) + 3 * H + 8 * H * H + 3 * H) / (2 * H * I))
    sent = sum(c.spikes for c in found.counts["spiking"].per_layer)
    assert found.spike_rate == pytest.approx(sent / (2 * L * B * H * 2))


def test_neurobench_of_currents():
    """Effective operations: pairs of a non-zero weight and a non-zero value, here all weights are."""
    x = torch.randn(B, L, I)
    for cell, options, elementwise in (
        ("gated_current", {"variant": "v1"}, 2), ("gated_current", {}, 2), ("spiking_gated_current", {}, 0),
    ):  # fmt: skip
        model = snn.SequenceClassifier(I, H, O, cell, options=options)
        busy(model.rnn).float()
        with torch.no_grad(), observing() as seen:
            model.eval()(x)
        found = neurobench(model, x)["SynapticOperations"]
        y, last = seen[0].output, seen[0].output[-1]
        recurrent = 0 if options else float((y[:-1] != 0).sum()) * 2 * H
        macs = B * L * 2 * H * (I + elementwise / 2)
        if cell == "gated_current":
            macs += recurrent + float((last != 0).sum()) * O
            assert found["Effective_ACs"] == 0
        else:
            acs = 2 * (y[:-1].sum() * 2 * H + last.sum() * O)
            assert found["Effective_ACs"] == pytest.approx(float(acs) / B)
        assert found["Effective_MACs"] == pytest.approx(macs / B)


def test_the_published_count_by_hand():
    """2 x 550 units, 40 inputs, 1936 outputs; the GRU's 3.866 M is the figure behind the published 10.13 x."""
    dense = [40, 550, 550]
    assert published_multiplications("gru", 550, dense, 1936) == 3_866_500
    assert published_multiplications("lstm", 550, dense, 1936) == 40 * 2200 + 2 * (2200 * 550 + 6600) + 550 * (
        2200 + 1936
    )
    active = [40, 77, 60]  # 14 % and 11 %
    v2 = 40 * 1100 + (77 * 1100 + 40 * 1100 + 4400) + (60 * 1936 + 77 * 1100 + 4400)
    assert (
        published_multiplications("v2", 550, active, 1936) == published_multiplications("v1", 550, active, 1936) == v2
    )
    # what U multiplies is what the layer itself has sent, not what it was given
    corrected = 40 * 1100 + (77 * 1100 + 77 * 1100 + 4400) + (60 * 1936 + 60 * 1100 + 4400)
    assert corrected_multiplications("v2", 550, active, 1936) == corrected
    assert corrected_multiplications("v1", 550, active, 1936) == 40 * 1100 + 77 * 1100 + 4400 + 60 * 1936 + 4400
    assert corrected_multiplications("gru", 550, dense, 1936) == 3_866_500
    assert published_multiplications("conventional", 550, active, 10) == 40 * 550 + 77 * 550 + 3300 + 60 * 10 + 3300
    with pytest.raises(ConfigError, match=r"cell='v3': .*valid: conventional, gru, lstm, v1, v2"):
        published_multiplications("v3", 550, active, 10)
    with pytest.raises(ConfigError, match=r"active=\[40\]: pass the non-zeros of the input and of each layer"):
        corrected_multiplications("v2", 550, [40], 10)


def test_the_corrected_count_is_what_the_rule_counts():
    """Up to element-wise work, of which the published form takes 8 H: matrix products are the same."""
    layer = busy(snn.GatedCurrent(I, H, 2, bits=4, threshold_levels=1))
    x = torch.randn(L, 1, I, dtype=torch.float64)
    with torch.no_grad(), observing() as seen:
        layer(x)
    active = [I, *(float((s.output != 0).sum()) / L for s in seen)]
    last = sum(float((s.output[-1] != 0).sum()) for s in seen) * 2 * H / L  # sent by the last element, to nobody
    expected = corrected_multiplications("v2", H, active, 0) - 2 * 8 * H - last
    found = count(layer, x)
    assert found.per_element("macs") - found.per_element("elementwise") == pytest.approx(expected)
