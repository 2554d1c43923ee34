"""Models as they are used: which are accumulate-only, and where the others multiply."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

import spikeseq.nn as snn
from spikeseq.energy.audit import assert_accumulate_only, audit
from spikeseq.errors import ConfigError, DataError
from spikeseq.nn.spiking import as_spiking

L, B, I, H = 6, 3, 5, 8


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def data(*shape):
    return torch.randn(shape or (L, B, I))


def odd(model):
    """Ranges as training leaves them: no small dyadic numbers; weights large enough for every gate level."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "threshold" in name or "clip" in name:
                p.uniform_(0.7, 2.3)
            elif "weight" in name:
                p.mul_(4)
    return model


def kinds(report):
    return {f.kind for f in report.findings}


@pytest.mark.parametrize("time_steps", [1, 2, 4, 16])
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2}, {"num_layers": 2, "bidirectional": True}, {"max_packet": 1}]
)
def test_spiking_lstm_multiplies_in_the_input_layer_only(time_steps, options):
    model = odd(snn.SpikingLSTM(I, H, time_steps=time_steps, **options))
    report = audit(model, data())
    directions = ["weight_ih_l0", "weight_ih_l0_reverse"][: 1 + options.get("bidirectional", False)]
    assert [(f.kind, f.operation, f.count) for f in report.findings] == [
        ("input layer", f"addmm with {name}", 1) for name in directions
    ]
    assert report.findings[0].why == "dense float operand: 90 of 90 values nonzero, 90 distinct"
    assert_accumulate_only(model, data(), allow=["input layer"])


@pytest.mark.parametrize(
    "encode", [lambda x: (x > 0).float(), lambda x: x.sign() * (x.abs() > 0.7), lambda x: 0.3 * x.round()]
)
def test_spikes_at_the_input_leave_no_finding(encode):
    assert audit(odd(snn.SpikingLSTM(I, H, 2, time_steps=2)), encode(data())).findings == ()


def test_onednn_product_is_seen():
    report = audit(odd(snn.SpikingLSTM(64, 128, time_steps=2)), data(L, B, 64))
    assert [f.operation for f in report.findings] == ["mkldnn::_linear_pointwise with weight_ih_l0"]


@pytest.mark.parametrize(
    "batch",
    [
        {"x": data(), "lengths": torch.tensor([3, 6, 1])},
        {"input": data(), "lengths": [3, 6, 1]},
        pack_sequence([data(4, I), data(6, I), data(1, I)], enforce_sorted=False),
        (data(), torch.zeros(B)),
        [data()],
    ],
)  # fmt: skip
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_form_of_a_batch(batch, bidirectional):
    model = odd(snn.SpikingLSTM(I, H, 2, time_steps=2, bidirectional=bidirectional))
    report = audit(model, batch)
    assert kinds(report) == {"input layer"}
    assert len(report.findings) == 1 + bidirectional


def test_classifier_and_converted_model_pass():
    for bidirectional in (False, True):
        quantised = odd(snn.SequenceClassifier(I, H, 3, "quantized_lstm", num_layers=2, bidirectional=bidirectional))
        for model in (quantised, as_spiking(quantised), as_spiking(quantised, max_packet=1)):
            report = audit(model, data(B, L, I), allow=["input layer"])
            assert report.ok, str(report)
            assert {f.module for f in report.allowed} == {"rnn"}


def test_mean_over_the_sequence_is_found():
    model = odd(snn.SequenceClassifier(I, H, 3, "spiking_lstm", pooling="mean"))
    (mean,) = audit(model, data(B, 7, I), allow=["input layer"]).findings[:1]
    assert (mean.kind, mean.operation) == ("element-wise product", "mean")
    assert mean.why == "mean over 7 elements: product with 1/7"
    assert mean.source.startswith("logits = ")


@pytest.mark.parametrize("bidirectional", [False, True])
def test_encoded_inputs(bidirectional):
    """Rounding the input is the converter's work; its 8-bit numbers meet weights in the first layer only."""
    for code, most in (("int8", 127), ("delta", 16)):
        model = odd(snn.SpikingLSTM(I, H, 2, time_steps=2, input_encoding=code, bidirectional=bidirectional))
        with torch.no_grad():
            for name, p in model.named_parameters():
                if "input_step" in name:
                    p.uniform_(3 / most, 4 / most)
        found = kinds(audit(model, data()))
        assert found == ({"input layer"} if code == "int8" else set())
    wide = torch.nn.Sequential(Rounded(1000.0), torch.nn.Linear(I, H))
    assert kinds(audit(wide, data())) == {"element-wise product", "matrix product"}  # more than 8 bits: no converter
    assert kinds(audit(torch.nn.Sequential(Rounded(20.0), torch.nn.Linear(I, H)), data())) == {"input layer"}


class Rounded(torch.nn.Module):
    """A converter of so many steps for each unit, and a scale that is no power of two."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def forward(self, x):
        return torch.floor(x * self.steps * 0.9)


@pytest.mark.parametrize("time_steps", [1, 2, 4])
def test_streams_with_if_gates_pass(time_steps):
    model = odd(snn.StreamLSTM(I, H, 2, time_steps=time_steps))
    assert kinds(audit(model, data())) == {"input layer"}


def test_leak_is_found_where_it_multiplies():
    (found,) = audit(odd(snn.StreamLSTM(I, H, time_steps=2, leak=0.9)), data(), allow=["input layer"]).findings
    assert found.kind == "element-wise product"
    assert found.line.startswith("spikeseq/ops/neuron.py:")
    assert found.source == "v = params.leak * state.v + current"
    assert found.why == "product with the constant 0.9, no small dyadic number"
    assert found.count == 3 * L  # gates i, f, o at t = 2; at t = 1 there is no potential to leak


@pytest.mark.parametrize(("leak", "time_steps"), [(0.5, 4), (0.75, 2), (0.9, 1)])
def test_leak_by_shifts_passes(leak, time_steps):
    assert audit(odd(snn.StreamLSTM(I, H, time_steps=time_steps, leak=leak)), data(), allow=["input layer"]).ok


def test_quantized_lstm_is_adds_of_k_times_a_weight():
    """Its h is k/T, so ``U h`` is |k| adds, its gates are k/T: it passes; what it transmits is T bits wide, not spikes."""
    for time_steps in (1, 4, 16):
        assert kinds(audit(odd(snn.QuantizedLSTM(I, H, 2, time_steps=time_steps)), data())) == {"input layer"}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (snn.LSTM(I, H), {"input layer", "matrix product", "element-wise product", "function"}),
        (snn.GRU(I, H), {"input layer", "matrix product", "element-wise product", "function"}),
        (snn.HardLSTM(I, H), {"input layer", "matrix product", "element-wise product"}),
        (nn.GRU(I, H), {"input layer", "matrix product", "element-wise product", "function"}),
        (nn.LSTM(I, H), {"matrix product"}),
    ],
)
def test_float_layers_fail(model, expected):
    report = audit(model, data())
    assert kinds(report) == expected
    recurrent = [f for f in report.findings if "weight_hh_l0" in f.operation]
    assert [f.kind for f in recurrent] == ["matrix product"]


def test_fused_lstm_says_so():
    (found,) = audit(nn.LSTM(I, H), data()).findings
    assert found.why == "fused float recurrence"
    assert found.line.startswith("torch/nn/modules/rnn.py:")


def test_hard_gates_multiply_the_cell_state():
    report = audit(odd(snn.HardLSTM(I, H)), data())
    lines = {f.source for f in report.findings if f.line.startswith("spikeseq/ops/cells/hard_lstm.py")}
    assert "c = gates.f * c + gates.i * gates.g" in lines
    # the scale of a hard gate is one product more: nothing rounds it
    assert "u = a / threshold + 0.5" in {
        f.source for f in report.findings if f.line.startswith("spikeseq/ops/spike.py")
    }


def test_attention_fails():
    report = audit(nn.TransformerEncoderLayer(4, 2, batch_first=True), data(3, 2, 4))
    assert any(f.why == "fused float attention" and f.module == "self_attn" for f in report.findings)
    assert {f.module for f in report.findings if f.kind == "function"} == {"norm1", "norm2"}


def test_snntorch_slstm_fails_at_its_recurrent_product():
    snntorch = pytest.importorskip("snntorch")
    report = audit(snntorch.SLSTM(H, H), data(4, H), allow=["input layer"])
    (recurrent,) = [f for f in report.findings if f.kind == "matrix product"]
    assert recurrent.operation == "addmm with lstm_cell.weight_hh"
    assert recurrent.module == "lstm_cell"
    assert recurrent.line.startswith("snntorch/_neurons/slstm.py:")
    assert recurrent.why == "dense float operand: 32 of 32 values nonzero, 32 distinct"
    assert {f.kind for f in report.findings} == {"matrix product", "function", "element-wise product"}


def test_what_a_report_says():
    model = odd(snn.SequenceClassifier(I, H, 3, "spiking_lstm"))
    report = audit(model, data(B, L, I))
    assert not report.ok
    assert "not accumulate-only: 1 finding (" in str(report)
    assert "input layer: addmm with rnn.weight_ih_l0, in rnn, spikeseq/ops/matmul.py:" in str(report)
    with pytest.raises(AssertionError, match=r"input layer: addmm with rnn\.weight_ih_l0"):
        assert_accumulate_only(model, data(B, L, I))
    assert "accumulate-only (" in str(audit(model, data(B, L, I), allow=["rnn"]))


@pytest.mark.parametrize(
    "batch", [None, 3, [], {}, "x", torch.zeros(0, 3), torch.zeros(2, 3), torch.full((2, 3), float("nan"))]
)
def test_batches_that_show_nothing(batch):
    with pytest.raises(DataError, match="batch"):
        audit(nn.Linear(3, 2), batch)


def test_absurd_arguments():
    with pytest.raises(ConfigError, match=r"nn\.Module"):
        audit(torch.relu, data())
    with pytest.raises(ConfigError, match="allow='input layer'"):
        audit(nn.Linear(I, 2), data(), allow="input layer")
