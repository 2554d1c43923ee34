"""ONNX files in ONNX Runtime against torch: one element with its state, whole sequences; batch size and length are free."""

import numpy as np
import pytest
import torch
from torch import nn

from spikeseq import data
from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ConversionError
from spikeseq.exchange import to_onnx
from spikeseq.nn.classifier import CELLS, SequenceClassifier
from spikeseq.nn.frames import FrameClassifier

onnx = pytest.importorskip("onnx")
I, H, C = 6, 10, 3
CASES = {
    **{cell: (cell, {}) for cell in CELLS},
    "grid 1": ("spiking_lstm", {"time_steps": 1}),
    "grid 16": ("spiking_lstm", {"time_steps": 16}),
    "unit spikes": ("spiking_lstm", {"time_steps": 4, "max_packet": 1}),
    "int8 input": ("spiking_lstm", {"input_encoding": "int8"}),
    "lif streams": ("stream_lstm", {"time_steps": 2, "leak": 0.75}),
    "coded input": ("gated_current", {"input_bits": 4}),
    "v1": ("spiking_gated_current", {"variant": "v1"}),
    "symplectic": ("adlif", {"form": "symplectic"}),
}
SPIKING = ("quantized_lstm", "spiking_lstm", "stream_lstm", "spiking_gated_current", "adlif")


def close(found, expected, exact=False):
    tolerance = 0 if exact else 2e-6
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=tolerance, atol=tolerance)


def classifier(cell, options, pooling="last", **more):
    torch.manual_seed(0)
    layers = 1 if options.get("time_steps") == 16 else 2
    return SequenceClassifier(I, H, C, cell, layers, pooling=pooling, options=options, **more).eval()


@pytest.mark.parametrize("case", CASES)
def test_every_cell(case, whole, stepwise):
    cell, options = CASES[case]
    pooling = "mean" if len(case) % 2 else "last"
    model = classifier(cell, options, pooling)
    x = torch.randn(4, 9, I)
    expected = model(x)
    close(whole(to_onnx(model, form="whole"), x), expected)
    outputs, _ = stepwise(to_onnx(model), x)
    close(outputs[:, -1], expected)
    close(outputs[:, 4], model(x[:, :5]))  # of the elements so far


@pytest.mark.parametrize("cell", ["torch_lstm", "torch_gru", "hard_lstm", "spiking_lstm"])
def test_both_directions_whole(cell, whole):
    model = classifier(cell, {}, "mean", bidirectional=True)
    x = torch.randn(5, 8, I)
    close(whole(to_onnx(model, form="whole"), x), model(x))
    with pytest.raises(ConfigError, match="bidirectional=True"):
        to_onnx(model)


@pytest.mark.parametrize("time_steps", [1, 4])
def test_spikes_are_exact_where_sums_are(time_steps, spread, whole, stepwise):
    layer = spread(snn.SpikingLSTM(I, H, 2, time_steps=time_steps, batch_first=True), dyadic=True)
    with torch.no_grad():
        for name, p in layer.named_parameters():
            p.fill_(2.0) if "threshold" in name else p.fill_(1.0) if "clip" in name else None
    x = torch.randint(-8, 9, (4, 12, I)) / 4
    expected, state = layer(x)
    assert 0.05 < expected.abs().mean() < 0.9
    close(whole(to_onnx(layer, form="whole"), x), expected, exact=True)
    outputs, last = stepwise(to_onnx(layer), x)
    close(outputs, expected, exact=True)
    for found, value in zip(last, state, strict=True):
        close(found, value, exact=True)


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 30), (9, 2)])
def test_any_batch_size_and_length(batch, length, whole, stepwise):
    model = classifier("spiking_lstm", {})
    x = torch.randn(batch, length, I)
    close(whole(to_onnx(model, form="whole"), x), model(x))
    close(stepwise(to_onnx(model), x)[0][:, -1], model(x))


def test_the_file_does_not_grow_with_the_length(whole):
    made = to_onnx(classifier("spiking_lstm", {}), form="whole")
    assert [node.op_type for node in made.graph.node].count("Scan") == 2
    assert {node.op_type for node in to_onnx(classifier("torch_lstm", {}), form="whole").graph.node} >= {"LSTM"}
    assert {node.op_type for node in to_onnx(classifier("gru", {}), form="whole").graph.node} >= {"GRU"}


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_networks_of_membranes(reset, spread, whole, stepwise):
    layers = [
        nn.Linear(I, 20),
        snn.LIF(20, reset=reset),
        nn.Linear(20, 8),
        snn.CubaLIF(reset=reset),
        snn.GradedLIF(levels=2, leak=0.5, threshold=1.0),
        nn.Linear(8, 4),
        snn.IF(),
    ]
    model = spread(snn.Sequential(*layers, batch_first=True), dyadic=True)
    x = torch.randint(-8, 9, (4, 40, I)) / 4
    spikes, _ = model(x)
    assert 0.02 < spikes.mean() < 0.9
    close(whole(to_onnx(model, form="whole"), x), spikes, exact=True)
    close(stepwise(to_onnx(model), x)[0], spikes, exact=True)


@pytest.mark.parametrize("normalise", ["none", "length"])
def test_readouts_and_convolutions(normalise, spread, whole, stepwise):
    conv = snn.SpikingConv1d(I, 8, 3, causal=True)
    model = spread(snn.Sequential(conv, nn.Linear(8, C), snn.Integrator(normalise), batch_first=True), dyadic=True)
    x = torch.randint(-8, 9, (3, 7, I)) / 4
    close(whole(to_onnx(model, form="whole"), x), model(x)[0])
    close(stepwise(to_onnx(model), x)[0][:, -1], model(x)[0])
    beside = snn.Sequential(snn.SpikingConv1d(I, 8, 3), snn.Last(), batch_first=True)
    close(whole(to_onnx(beside, form="whole"), x), beside(x)[0])
    with pytest.raises(ConfigError, match="causal=False"):
        to_onnx(beside)


@pytest.mark.parametrize("divisor", [None, 1, 5])
@pytest.mark.parametrize("counted", [True, False])
def test_average_pooling(divisor, counted, whole, stepwise):
    pool = nn.AvgPool2d((2, 3), 2, padding=1, count_include_pad=counted, divisor_override=divisor)
    model, x = snn.Sequential(pool, nn.Flatten(), batch_first=True), torch.randn(3, 4, 2, 7, 8)
    expected = model(x)[0]
    close(whole(to_onnx(model, form="whole", element_shape=(2, 7, 8)), x), expected)
    close(stepwise(to_onnx(model, element_shape=(2, 7, 8)), x)[0], expected)


@pytest.mark.parametrize("cell", ["lif", "spiking_lstm"])
def test_pictures_and_text(cell, whole, stepwise):
    torch.manual_seed(0)
    pictures = snn.PictureClassifier((2, 8, 8), C, cell, (4, 4), 12).eval()
    text = snn.TextClassifier(50, 2, cell, 12, 8).eval()
    for model, x in ((pictures, 3 * torch.rand(2, 5, 2, 8, 8)), (text, torch.randint(1, 50, (3, 7)))):
        close(whole(to_onnx(model, form="whole"), x), model(x))
        close(stepwise(to_onnx(model), x)[0][:, -1], model(x))


def test_frames_and_bare_layers(whole, stepwise):
    torch.manual_seed(0)
    x = torch.randn(3, 6, I)
    frames = FrameClassifier(I, H, C, "spiking_lstm").eval()
    bare = nn.LSTM(I, H, 2)  # time first; the file is batch first
    for model, expected in ((frames, frames(x)), (bare, bare(x.transpose(0, 1))[0].transpose(0, 1))):
        close(whole(to_onnx(model, form="whole"), x), expected)
        close(stepwise(to_onnx(model), x)[0], expected)


def test_on_real_digits(whole, stepwise):
    """Trained for a moment, so that gates and spikes are those of a real model; accuracy is equal, classes are."""
    torch.manual_seed(0)
    digits = data.load("digits", order="rows")
    x, y = digits.train.x, digits.train.y
    model = SequenceClassifier(8, 24, 10, "spiking_lstm", options={"time_steps": 2})
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(40):
        rows = torch.arange(32) + 32 * step
        loss = nn.functional.cross_entropy(model(x[rows % len(x)]), y[rows % len(x)])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    test = digits.test
    expected = model(test.x)
    found = torch.from_numpy(whole(to_onnx(model, form="whole"), test.x))
    steps = torch.from_numpy(stepwise(to_onnx(model), test.x)[0][:, -1])
    assert (expected.argmax(1) == test.y).float().mean() > 0.5
    for logits in (found, steps):
        # a unit at a tie may round the other way: then a logit moves by a weight over T
        assert ((logits - expected).abs().amax(1) < 1e-5).float().mean() > 0.99
        assert (logits.argmax(1) == expected.argmax(1)).float().mean() > 0.995


def test_what_cannot_be_exported():
    with pytest.raises(ConfigError, match="form='sequence': valid: step, whole"):
        to_onnx(classifier("lstm", {}), form="sequence")
    with pytest.raises(ConfigError, match=r"float64.*model.float\(\)"):
        to_onnx(classifier("lstm", {}).double())
    with pytest.raises(ConfigError, match="model is a Linear"):
        to_onnx(nn.Linear(2, 3))
    with pytest.raises(ConfigError, match="element_shape is missing"):
        to_onnx(snn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), snn.LIF()))
    with pytest.raises(ConfigError, match="proj_size=2"):
        to_onnx(nn.LSTM(I, H, proj_size=2))
    with pytest.raises(ConversionError, match=r"aten\.gelu.*no translation"):
        to_onnx(snn.Sequential(nn.Linear(I, H), nn.GELU(), snn.LIF()))
    pool = nn.AvgPool2d(2, ceil_mode=True, divisor_override=1)
    with pytest.raises(ConversionError, match="divisor_override and ceil_mode"):
        to_onnx(snn.Sequential(pool, nn.Flatten(), snn.LIF()), element_shape=(2, 5, 5))


def test_the_model_stays_as_it_is():
    model = SequenceClassifier(I, H, C, "torch_lstm", dropout=0.5).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    to_onnx(model)
    assert model.training
    assert isinstance(model.rnn, nn.LSTM)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_the_file(tmp_path):
    model = classifier("spiking_lstm", {})
    made = to_onnx(model, tmp_path / "a" / "model.onnx", "whole")
    assert (tmp_path / "a" / "model.onnx").read_bytes() == made.SerializeToString()
    onnx.checker.check_model(str(tmp_path / "a" / "model.onnx"), full_check=True)
    assert made.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
