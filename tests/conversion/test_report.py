"""The report: every number in it against one worked out here."""

import json

import pytest
import torch
from torch import nn

import spikeseq
from spikeseq import ConvertConfig
from spikeseq.conversion import ConversionReport, LayerReport, PartReport


def gates_by_hand(lstm: nn.LSTM, x: torch.Tensor) -> torch.Tensor:
    """Preactivations [L, B, 4H] of a one-layer nn.LSTM, from h[n-1] that the LSTM itself gives."""
    with torch.no_grad():
        h = lstm(x)[0]
        rows = []
        for n in range(len(x)):
            earlier = h[n - 1] if n else torch.zeros_like(h[0])
            bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
            rows.append(x[n] @ lstm.weight_ih_l0.T + earlier @ lstm.weight_hh_l0.T + bias)
    return torch.stack(rows)


@pytest.fixture(scope="module")
def case():
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 4).double()
    with torch.no_grad():
        for p in lstm.parameters():
            p.mul_(3)
    return lstm, torch.randn(9, 5, 3, dtype=torch.float64)


def test_clipped_share_by_hand(case):
    lstm, x = case
    blocks = dict(zip("ifgo", gates_by_hand(lstm, x).reshape(-1, 16).chunk(4, -1), strict=True))
    part = spikeseq.convert(lstm, ConvertConfig(thresholds="fixed"), [x]).report.layers[0].parts[0]
    assert part.threshold == dict.fromkeys("ifo", (4.0, 4.0, 4.0))
    assert part.clip == (1.0, 1.0, 1.0)
    for gate, share in part.clipped.items():
        limit = 1.0 if gate == "g" else 2.0
        assert share == pytest.approx((blocks[gate].abs() > limit).double().mean().item(), abs=1e-6), gate
        assert 0 < share < 1, gate


def test_ranges_and_shares_are_those_of_the_result(case):
    lstm, x = case
    blocks = dict(zip("ifgo", gates_by_hand(lstm, x).reshape(-1, 16).chunk(4, -1), strict=True))
    result = spikeseq.convert(lstm, ConvertConfig(), [x])
    part, snn = result.report.layers[0].parts[0], result.model
    for row, gate in enumerate("ifo"):
        v = snn.threshold_l0[row]
        assert part.threshold[gate] == pytest.approx((v.min().item(), v.mean().item(), v.max().item()))
        assert part.clipped[gate] == pytest.approx((blocks[gate].abs() > v / 2).double().mean().item(), abs=1e-6)
    g = snn.clip_l0
    assert part.clip == pytest.approx((g.min().item(), g.mean().item(), g.max().item()))
    assert part.clipped["g"] == pytest.approx((blocks["g"].abs() > g).double().mean().item(), abs=1e-6)


def test_errors_of_the_stages_by_hand(case):
    lstm, x = case
    report = spikeseq.convert(lstm, ConvertConfig(time_steps=4), x.split(2, dim=1)).report
    with torch.no_grad():
        reference = lstm(x)[0]
        for stage, error in report.layers[0].error.items():
            model = spikeseq.convert(lstm, ConvertConfig(4, stage=stage), x.split(2, dim=1)).model
            assert error == pytest.approx(((model(x)[0] - reference).norm() / reference.norm()).item()), stage
    assert list(report.layers[0].error) == ["hard", "quantized", "spiking"]
    assert report.output_error == pytest.approx(report.layers[0].error["spiking"])


def test_what_spikes_depends_on_the_stage(case):
    lstm, x = case
    for stage, spiking in (("hard", ()), ("quantized", ("i", "f", "o", "h")), ("spiking", ("i", "f", "o", "h"))):
        layer = spikeseq.convert(lstm, ConvertConfig(stage=stage), [x]).report.layers[0]
        assert layer.spiking == spiking
        assert set(layer.spiking) | set(layer.analog) == set("ifgoch")
        assert not set(layer.spiking) & set(layer.analog)


def test_text():
    part = PartReport("l0_reverse", {"i": (1, 2, 3), "f": (4, 5, 6)}, (0.5, 0.75, 1), {"i": 0.125, "g": 1.0})
    layer = LayerReport("a.b", "nn.LSTM", "SpikingLSTM", ("i", "h"), ("c",), (part,), {"hard": 0.25, "spiking": 0.5})
    assert str(ConversionReport((layer, LayerReport("", "X", "Y")), 0.125)) == (
        "a.b: nn.LSTM -> SpikingLSTM\n"
        "  spikes: i, h; analog, never transmitted: c\n"
        "  l0_reverse: V_i 2.00 [1.00, 3.00]  V_f 5.00 [4.00, 6.00]  gam 0.75 [0.50, 1.00]\n"
        "  l0_reverse clipped: i 12.5%  g 100.0%\n"
        "  relative error of the output: hard 0.250  spiking 0.500\n"
        "model: X -> Y\n"
        "model output: relative error 0.125"
    )
    assert str(ConversionReport((LayerReport("x", "X", "Y"),))) == "x: X -> Y"


def test_a_layer_with_nothing_analog_says_nothing_of_it():
    assert "analog" not in str(LayerReport("x", "X", "Y", spiking=("output",)))


def test_plain_values(case):
    lstm, x = case
    report = spikeseq.convert(lstm, ConvertConfig(), [x]).report
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["output_error"] == report.output_error
    (layer,) = plain["layers"]
    assert (layer["name"], layer["source"], layer["target"]) == ("", "nn.LSTM", "SpikingLSTM")
    assert layer["error"] == report.layers[0].error
    assert layer["parts"][0]["clipped"] == report.layers[0].parts[0].clipped
    assert layer["parts"][0]["threshold"]["o"] == list(report.layers[0].parts[0].threshold["o"])
