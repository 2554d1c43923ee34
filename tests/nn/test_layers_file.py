"""Model files of a Sequential: every kind of layer comes back as it was; other files are refused."""

import pytest
import torch
from torch import nn

from spikeseq import nn as snn
from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.nn.checkpoint import ModelSettings, save_model
from spikeseq.nn.layers_file import FORMAT, SETTINGS, is_layers, load_any, load_layers, save_layers
from spikeseq.ops.spike import Arctan, FastSigmoid, Rectangle


def network() -> snn.Sequential:
    neuron = snn.IF(4, threshold=0.5, learn_threshold=False, surrogate=Arctan(3.0))
    return snn.Sequential(
        snn.SpikingConv2d(2, 4, 3, padding=1, stride=(1, 2), bias=False, neuron=neuron), nn.MaxPool2d(2, ceil_mode=True),
        nn.Conv2d(4, 6, (1, 2), dilation=1, groups=2), nn.ReLU(), nn.AvgPool2d((2, 1), divisor_override=1),
        nn.Flatten(), nn.Identity(), nn.Dropout(0.1), snn.SequenceDropout(0.2), nn.Linear(12, 5, bias=False),
        snn.CubaLIF(5, reset="zero", surrogate="fast_sigmoid"), snn.GradedLIF(5, levels=2, gate=True, learn_leak=False),
        snn.SpikingConv1d(5, 7, 3, causal=True),
        snn.LIF(dyadic_leak=True, learn_leak=False, surrogate=Rectangle(0.5)), snn.Integrator("length"), nn.Linear(7, 2),
        batch_first=True,
    )  # fmt: skip


def test_comes_back_as_it_was(tmp_path):
    torch.manual_seed(0)
    model = network().eval()
    path = save_layers(tmp_path / "a" / "net.pt", model, (2, 8, 8), {"task": "x"})
    back, shape, notes = load_layers(path)
    assert (shape, notes, back.training, back.batch_first) == ((2, 8, 8), {"task": "x"}, False, True)
    assert repr(back) == repr(model)
    x = torch.randn(3, 6, 2, 8, 8)
    assert torch.equal(back(x)[0], model(x)[0])
    for name, p in model.named_parameters():
        assert back.get_parameter(name).requires_grad == p.requires_grad, name
    assert back[10].step.surrogate == FastSigmoid()
    loss = back.train()(x)[0].sum()
    loss.backward()  # a file's weights can be trained on
    assert back[0].conv.weight.grad.abs().sum() > 0


def test_every_type_is_tried():
    tried = {type(m) for m in network().modules()} | {nn.Conv1d, snn.Last}  # test_one_dimension_and_last
    assert set(SETTINGS) <= tried


def test_one_dimension_and_last(tmp_path):
    model = snn.Sequential(nn.Conv1d(1, 2, 3, padding="same"), nn.Flatten(), snn.LIF(8), snn.Last()).eval()
    back = load_layers(save_layers(tmp_path / "net.pt", model)).model
    x = torch.randn(5, 2, 1, 4)
    assert torch.equal(back(x)[0], model(x)[0])


def test_what_no_file_holds(tmp_path):
    with pytest.raises(ConfigError, match=r"layer '1' is a SpikingLSTM, which no model file holds"):
        save_layers(tmp_path / "x.pt", snn.Sequential(nn.Linear(2, 3), snn.SpikingLSTM(3, 4)))
    with pytest.raises(ConfigError, match="surrogate"):
        save_layers(tmp_path / "x.pt", snn.Sequential(snn.LIF(surrogate=lambda u: (u >= 0).float())))
    assert list(tmp_path.iterdir()) == []


def test_either_kind_of_file(tmp_path):
    settings = ModelSettings("lstm", 4)
    save_model(tmp_path / "a.pt", settings.build(3, 2), settings, (3, 2), {"n": 1})
    save_layers(tmp_path / "b.pt", snn.Sequential(nn.Linear(3, 2)), None, {"n": 2})
    assert [is_layers(tmp_path / name) for name in ("a.pt", "b.pt", "none.pt")] == [False, True, False]
    assert [type(load_any(tmp_path / name).model) for name in ("a.pt", "b.pt")] == [
        snn.SequenceClassifier,
        snn.Sequential,
    ]
    assert load_any(tmp_path / "b.pt").notes == {"n": 2}
    with pytest.raises(CheckpointError, match="does not exist"):
        load_any(tmp_path / "none.pt")


@pytest.mark.parametrize(
    "change",
    [
        {"format": "spikeseq-layers/9"},
        {"layers": "none"},
        {"layers": [{"type": "Exec", "settings": {}}]},
        {
            "layers": [
                {"type": "Linear", "settings": {"in_features": 3, "out_features": 2, "bias": True, "device": "cpu"}}
            ]
        },
        {"layers": [{"type": "Linear", "settings": {"in_features": 3}}]},
        {"layers": [{"type": "Linear", "settings": {"in_features": 1 << 40, "out_features": 1 << 20, "bias": True}}]},
        {"layers": [{"settings": {}}]},
        {"layers": [3]},
        {"layers": [{"type": "Identity", "settings": {}}] * 2000},
        {"element_shape": ["a"]},
        {"element_shape": 3},
        {"state": {}},
        {"state": {"0.weight": torch.zeros(2, 4), "0.bias": torch.zeros(2)}},
        {"state": {"0.weight": "no tensor", "0.bias": torch.zeros(2)}},
    ],
)
def test_damaged_and_foreign_content(tmp_path, change):
    path = save_layers(tmp_path / "net.pt", snn.Sequential(nn.Linear(3, 2)))
    content = torch.load(path, weights_only=True)
    assert content["format"] == FORMAT
    torch.save({**content, **change}, path)
    with pytest.raises(CheckpointError, match=r"net\.pt"):
        load_layers(path)
