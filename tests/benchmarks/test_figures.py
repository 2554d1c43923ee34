"""The script that draws trained networks at work: one recording, from a model file and its data."""

import importlib.util
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

from spikeseq import data as data_sets
from spikeseq.data import SequenceData, Split
from spikeseq.errors import ConfigError
from spikeseq.nn.checkpoint import ModelSettings, Sizes, save_model
from spikeseq.nn.settings import PictureSettings

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "figures.py"


def test_event_frames(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("figures", SCRIPT)
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    settings = ModelSettings("lif", 6, network="pictures", pictures=PictureSettings([3]))
    notes = {"recipe": {"data": {"name": "nmnist", "options": {"frames": 4}}, "model": {"pictures": {"channels": [3]}}}}
    path = str(
        save_model(tmp_path / "p.pt", settings.build(32, 3, (2, 4, 4)), settings, Sizes(32, 3, (2, 4, 4)), notes)
    )
    split = Split((torch.rand(3, 4, 32) > 0.5).float(), torch.arange(3))
    data = SequenceData("nmnist", split, split, split, tuple("abc"), "made up", "none", element_shape=(2, 4, 4))
    monkeypatch.setattr(data_sets, "load", lambda name, **options: data)
    figures.draw_pictures(path, 1, tmp_path / "frames.png")
    assert imread(tmp_path / "frames.png").std() > 0.05
    layers = ModelSettings("lstm", 4)
    other = str(save_model(tmp_path / "l.pt", layers.build(3, 3), layers, (3, 3), notes))
    with pytest.raises(ConfigError, match="holds SequenceClassifier; pass a network for pictures"):
        figures.draw_pictures(other, 0, tmp_path / "x.png")


def test_accuracy_after_each_frame(monkeypatch):
    spec = importlib.util.spec_from_file_location("frames", SCRIPT.with_name("frames.py"))
    frames = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(frames)
    torch.manual_seed(0)
    model = ModelSettings("lif", 6, network="pictures", pictures=PictureSettings([3])).build(32, 3, (2, 4, 4)).eval()
    split = Split((torch.rand(20, 4, 32) > 0.5).float(), torch.arange(20) % 3)
    whole = [(model(split.x[:, :n]).argmax(-1) == split.y).double().mean() for n in range(1, 5)]
    assert frames.accuracy_after(model, split) == pytest.approx([float(v) for v in whole])
