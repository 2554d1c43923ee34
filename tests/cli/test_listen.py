"""spikeseq listen: the decision on a second is the whole model's, in every kind of model; and what it refuses."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spikeseq.cli import listen as command
from spikeseq.cli import listening
from spikeseq.cli.listening import Listener, Work
from spikeseq.cli.windows import Windows
from spikeseq.data.speech.logmel import log_mel, one_second
from spikeseq.energy import count
from spikeseq.nn import SequenceClassifier
from spikeseq.nn.checkpoint import ModelSettings, save_model
from spikeseq.nn.spiking import as_spiking
from spikeseq.runtime.library import library_path
from spikeseq.train.recipe import make_recipe

WORDS = ["yes", "no", "up"]
MEAN, STD, FLOOR = -30.0, 12.0, -70.0
built = pytest.mark.skipif(library_path() is None, reason="the runtime's library was not built: make lib")
CELLS = {
    "torch_lstm": {}, "torch_gru": {}, "hard_lstm": {}, "gated_current": {"input_bits": 6}, "leaky_current": {},
    "adlif": {}, "spiking_gated_current": {"time_steps": 4}, "quantized_lstm": {"time_steps": 2},
    "stream_lstm": {"time_steps": 2},
}  # fmt: skip
EVENT_DRIVEN = ("quantized_lstm", "stream_lstm", "spiking_gated_current", "gated_current", "leaky_current")


def model_of(cell: str, pooling: str = "mean", layers: int = 1):
    torch.manual_seed(3)
    settings = ModelSettings(cell, 12, layers, pooling=pooling, options=CELLS[cell])
    model = settings.build(40, len(WORDS))
    with torch.no_grad():
        for p in model.readout.parameters():
            p.mul_(8)  # decisions that differ
    for _ in range(2):  # ranges and norms are measured in training
        model.train()(torch.randn(4, 20, 40))
    return model.eval(), settings


def kept(path: str, cell: str = "quantized_lstm", data: str = "speech_commands", decibels: bool = True) -> str:
    model, settings = model_of(cell)
    recipe = make_recipe({"name": "x/y", "data": {"name": data}, "model": {"cell": cell, "hidden_size": 12}})
    notes = {"recipe": recipe.to_dict(), "classes": WORDS}
    if decibels:
        notes["decibels"] = {"mean": [MEAN] * 40, "std": [STD] * 40, "floor": FLOOR}
    save_model(path, model, settings, (40, len(WORDS)), notes)
    return path


def features(samples: np.ndarray) -> torch.Tensor:
    """What the model was trained on, of a second."""
    level = log_mel(one_second(samples)).astype(np.float32) + FLOOR
    return torch.from_numpy((level - np.float32(MEAN)) / np.float32(STD)).unsqueeze(0)


def heard(model, samples: np.ndarray, hop: int = 20):
    windows = Windows(Listener(model, "model").window, command.LENGTH, hop)
    scale = {"mean": [MEAN] * 40, "std": [STD] * 40, "floor": FLOOR}
    pieces = np.split(samples, range(700, len(samples), 700))
    return list(command.decisions(pieces, scale, windows))


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_decision_on_a_second_is_that_of_the_model(cell, pooling, speech_like) -> None:
    model, _ = model_of(cell, pooling, layers=2)
    whole = as_spiking(model)
    samples = speech_like(16_000, 5)
    found = heard(model, samples)
    assert [d.element for d in found] == [18, 38, 58, 78, 98]
    assert [d.heard for d in found] == [18, 38, 58, 78, 98]
    x = features(samples)
    with torch.no_grad():
        for decision in found:
            expected = whole(x[:, : decision.heard])[0].numpy()
            np.testing.assert_allclose(decision.logits, expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(found[-1].logits) > 0.01


@pytest.mark.parametrize("cell", ["torch_lstm", "gated_current", "quantized_lstm"])
def test_a_long_recording_is_heard_second_by_second(cell, speech_like) -> None:
    """What came before a window changes nothing: every later decision is that of the whole model on its second."""
    model, _ = model_of(cell)
    samples = speech_like(40_000, 9)
    found = heard(model, samples, 30)
    assert [d.element for d in found] == [*range(8, 248, 30), 248]
    late = [d for d in found if d.heard == 98]
    assert [d.element for d in late] == [98, 128, 158, 188, 218, 248]
    with torch.no_grad():
        for decision in late:
            start = (decision.element - 98) * 160
            expected = as_spiking(model)(features(samples[start:]))[0].numpy()
            np.testing.assert_allclose(decision.logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_operations_are_those_of_the_energy_count(cell, speech_like) -> None:
    """One window from start to end: counted piece by piece as of the whole, but for the readout of averages."""
    model, _ = model_of(cell)
    samples = speech_like(16_000, 2)
    total = Work()
    for decision in heard(model, samples, hop=98):
        total = total.plus(decision.work)
    whole = count(as_spiking(model), features(samples)).per_layer
    assert total.spikes == sum(layer.spikes for layer in whole)
    assert total.acs == sum(layer.acs for layer in whole)
    assert total.macs == sum(layer.macs for layer in whole)
    assert (total.spikes > 0) == (cell not in ("torch_lstm", "torch_gru", "hard_lstm"))


def test_the_work_of_all_open_windows_is_shown(speech_like) -> None:
    model, _ = model_of("torch_gru")
    found = heard(model, speech_like(32_000), 49)
    one, two = found[0].work.macs, found[2].work.macs
    readout = 12 * 3
    assert found[1].work.macs == pytest.approx(2 * one, abs=2 * readout)
    assert two == found[1].work.macs  # two windows at any time


@built
def test_what_the_runtime_cannot_hold_is_heard_in_pytorch() -> None:
    options = {"bits": 8, "threshold_levels": 0, "levels": "unsigned", "rounding": "nearest"}
    listener = Listener(SequenceClassifier(40, 12, 5, "gated_current", options=options).eval(), "model")
    assert "in PyTorch" in listener.how
    assert "255 levels" in listener.how
    assert listener.window().hear(np.zeros((3, 40), np.float32))[0].shape == (5,)


@built
def test_what_runs_it() -> None:
    for cell in CELLS:
        how = Listener(model_of(cell)[0], "model").how
        assert (how == "event-driven, in C") == (cell in EVENT_DRIVEN), cell


def test_without_the_library_it_runs_in_pytorch(monkeypatch, speech_like) -> None:
    monkeypatch.setattr(listening, "library_path", lambda: None)
    model, _ = model_of("quantized_lstm")
    assert "was not built" in Listener(model, "model").how
    samples = speech_like(16_000)
    with torch.no_grad():
        expected = as_spiking(model)(features(samples))[0].numpy()
    np.testing.assert_allclose(heard(model, samples)[-1].logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "NIST"])
def test_a_file(spikeseq, speech_like, sound_file, format) -> None:
    Path("a.wav").write_bytes(sound_file(speech_like(24_000, 1), format))
    ran = spikeseq("listen", "a.wav", "--model", kept("m.pt"), "--hop-ms", "400")
    assert (ran.code, ran.err) == (0, "")
    rows = re.findall(r"(\d+\.\d{3}) s (yes|no|up) ([01]\.\d\d) (\d\.\d{3}) s ([\d,]+) ([\d,]+) ([\d,]+)", ran.out)
    assert [row[0] for row in rows] == ["0.195", "0.595", "0.995", "1.395", "1.495"]
    assert [row[3] for row in rows] == ["0.195", "0.595", "0.995", "0.995", "0.695"]
    assert all(int(row[4].replace(",", "")) > 0 for row in rows)


def test_less_than_a_second_is_filled_up_as_in_training(speech_like) -> None:
    model, _ = model_of("torch_lstm")
    samples = speech_like(9_000)
    found = heard(model, samples)
    assert found[-1].element == 98
    with torch.no_grad():
        expected = model(features(samples))[0].numpy()
    np.testing.assert_allclose(found[-1].logits, expected, rtol=1e-4, atol=1e-4)


def given(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(command.sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def test_standard_input(spikeseq, speech_like, sound_file, monkeypatch) -> None:
    samples = speech_like(20_000, 1)
    Path("a.wav").write_bytes(sound_file(samples))
    from_file = spikeseq("listen", "a.wav", "--model", kept("m.pt"))
    given(monkeypatch, samples.astype("<i2").tobytes())
    assert spikeseq("listen", "-", "--model", "m.pt") == from_file


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "silent or empty"), (bytes(40_000), "silent"), (b"\1\2\3", "half a sample")]
)
def test_bad_standard_input(spikeseq, monkeypatch, content, words) -> None:
    given(monkeypatch, content)
    spikeseq("listen", "-", "--model", kept("m.pt")).refused(words)


def test_bad_recordings(spikeseq, speech_like, sound_file) -> None:
    model, good = kept("m.pt"), sound_file(speech_like(16_000))
    stereo = np.stack([speech_like(16_000)] * 2, 1)
    for content, words in (
        (sound_file(np.zeros(16_000, np.int16)), ("bad.wav is silent",)),
        (good[:20_000], ("bad.wav is truncated", "of 16000")),
        (sound_file(speech_like(8_000), rate=8_000), ("8000 samples a second", "ffmpeg -i IN -ar 16000")),
        (sound_file(stereo), ("2 channels", "ffmpeg")),
        (sound_file(speech_like(100)), ("100 samples",)),
        (b"", ("bad.wav is empty",)),
        (b"no sound at all", ("damaged",)),
    ):
        Path("bad.wav").write_bytes(content)
        spikeseq("listen", "bad.wav", "--model", model).refused(*words)
    spikeseq("listen", "none.wav", "--model", model).refused("'none.wav' cannot be read", "No such file")


def test_bad_models_and_hops(spikeseq, speech_like, sound_file, empty_machine, monkeypatch) -> None:
    Path("a.wav").write_bytes(sound_file(speech_like(16_000)))
    spikeseq("listen", "a.wav").refused("model is missing", "--model")
    spikeseq("listen", "a.wav", "--model", "none.pt").refused("none.pt", "does not exist")
    spikeseq("listen", "a.wav", "--model", kept("d.pt", data="digits")).refused("'digits'", "speech_commands")
    for hop in ("0", "15", "-10"):
        spikeseq("listen", "a.wav", "--model", kept("m.pt"), "--hop-ms", hop).refused(f"hop_ms={hop}", "multiple of 10")
    settings = ModelSettings("torch_lstm", 4, bidirectional=True)
    content = torch.load("m.pt", weights_only=True)
    save_model("b.pt", settings.build(40, 3), settings, (40, 3), content["notes"])
    spikeseq("listen", "a.wav", "--model", "b.pt").refused("'b.pt' is bidirectional")


def test_an_older_file_takes_the_scale_from_the_data(spikeseq, speech_like, sound_file, monkeypatch) -> None:
    Path("a.wav").write_bytes(sound_file(speech_like(16_000)))
    scale = {"classes": WORDS, "decibels": {"mean": [MEAN] * 40, "std": [STD] * 40, "floor": FLOOR}}
    monkeypatch.setattr(command, "data_of", lambda notes, checkpoint: "data")
    monkeypatch.setattr(command, "front_end", lambda data: scale)
    older = spikeseq("listen", "a.wav", "--model", kept("old.pt", decibels=False))
    assert older == spikeseq("listen", "a.wav", "--model", kept("new.pt"))
