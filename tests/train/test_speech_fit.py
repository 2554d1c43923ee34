"""Training on utterances: frames and CTC learn, records hold what was measured, a stopped run goes on bit for bit."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from spikeseq import data as data_sets
from spikeseq.cli.main import main
from spikeseq.data import SpeechData, Utterances
from spikeseq.errors import ConfigError
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.frames import FrameClassifier
from spikeseq.report.record import read_record
from spikeseq.train.fit import fit
from spikeseq.train.module import ClassifierModule

FRAMES = {"task": "frames", "model.output": "frames", "data.name": "timit", "data.batch_size": 4}
CTC = {**FRAMES, "task": "ctc"}
MASKS = {"time_masks": 1, "time_mask_frames": 2, "band_masks": 1, "band_mask_bands": 3}


def readable(data: SpeechData) -> SpeechData:
    """The same with features that say what is to be found: band k is 3 while class k lasts; transcripts are those classes."""

    def speaking(split: Utterances) -> Utterances:
        x = np.zeros((int(split.length.sum()), 40), np.float32)
        for row in range(len(split)):
            start, length = split.start[row], split.length[row]
            heard = split.labels[row]
            if data.targets == "sequence":  # each label for a third of the frames, with silence between
                heard = np.repeat(np.stack([heard, 0 * heard], 1).ravel(), length // 6)[:length]
            x[start + np.arange(len(heard)), heard] = 3.0
        if data.targets == "sequence":
            return dataclasses.replace(split, x=x)
        spoken = [np.array([k for k, _ in itertools.groupby(own.tolist())]) for own in split.labels]
        return dataclasses.replace(split, x=x, transcripts=spoken)

    return dataclasses.replace(data, **{name: speaking(getattr(data, name)) for name in ("train", "valid", "test")})


@pytest.fixture
def clear_speech(stub_speech, monkeypatch):
    """A function: kind of utterances -> data that can be learned, which every recipe then loads."""

    def stub(*args: Any, **kwargs: Any) -> SpeechData:
        made = readable(stub_speech(*args, **kwargs))
        monkeypatch.setattr(data_sets, "load_speech", lambda name, **options: made)
        return made

    return stub


@pytest.mark.parametrize("cell", ["torch_lstm", "quantized_lstm"])
def test_frames_are_learned(tiny, clear_speech, cell: str) -> None:
    clear_speech(rows=(24, 6, 6))
    run = fit(
        tiny({**FRAMES, "model.cell": cell, "train.epochs": 12, "train.learning_rate": 0.03}), "run", progress=False
    )
    m = run.record.metrics
    assert isinstance(run.model, FrameClassifier)
    assert m["test_accuracy"] > 0.9
    assert m["history"][-1]["train_loss"] < 0.5 * m["history"][0]["train_loss"]
    assert m["valid_accuracy"] == max(row["valid_accuracy"] for row in m["history"])
    assert m["skipped"] == {"silent": 2}
    # under a tenth of the frames is wrong, and each may cost a substitution and an insertion or two
    assert m["test_per"] < 0.3
    assert m["acoustic_scale"] in (0.2, 0.35, 0.6, 1.0, 1.6, 2.5)
    assert m["macs_per_element"] > 0
    assert ("multiplications_published" in m) == (cell == "torch_lstm")
    assert m["multiplications_corrected"] > 0
    assert m["accumulate_only"] == (cell == "quantized_lstm")  # as it is tested: spikes
    assert ("quantized_accuracy" in m) == ("unit_spike_accuracy" in m) == (cell == "quantized_lstm")
    assert 0 < m.get("spike_rate", 0.5) < 1


@pytest.mark.parametrize("unit", ["phone", "character"])
def test_labels_are_learned_by_ctc(tiny, clear_speech, unit: str) -> None:
    clear_speech("sequence", unit, rows=(40, 8, 8))
    changes = {**CTC, "train.epochs": 25, "train.learning_rate": 0.03, "model.hidden_size": 16, "beam_width": 4}
    m = fit(tiny(changes), "run", progress=False).record.metrics
    main_rate = "cer" if unit == "character" else "per"
    assert m[f"test_{main_rate}"] < 0.15
    assert m[f"test_{main_rate}_beam"] < 0.15
    assert m[f"valid_{main_rate}"] == min(row[f"valid_{main_rate}"] for row in m["history"])
    assert ("test_wer" in m) == (unit == "character")


def outcome(folder: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    metrics = dict(read_record(Path(folder) / "record.json").metrics)
    del metrics["train_seconds"]
    return load_model(Path(folder) / "model.pt")[0].state_dict(), metrics


@pytest.mark.parametrize(
    ("task", "more"),
    [
        (FRAMES, {"model.cell": "quantized_lstm", "train.length_curriculum": [5, 9], "train.target_spike_rate": 0.2}),
        (CTC, {"model.num_layers": 2}),
    ],
)
def test_stopped_and_resumed(tiny, stub_speech, monkeypatch, task, more) -> None:
    stub_speech("frames" if task is FRAMES else "sequence")
    recipe = tiny({**task, **more, "model.dropout": 0.2, "data.augmentation": MASKS, "train.epochs": 4})
    fit(recipe, "whole", progress=False)
    with monkeypatch.context() as patch:
        step = ClassifierModule.training_step
        patch.setattr(
            ClassifierModule, "training_step",
            lambda self, batch, index: 1 / 0 if self.current_epoch == 2 else step(self, batch, index),
        )  # fmt: skip
        with pytest.raises(ZeroDivisionError):
            fit(recipe, "run", progress=False)
    fit(recipe, "run", resume=True, progress=False)
    (weights, metrics), (expected, expected_metrics) = outcome("run"), outcome("whole")
    assert metrics == expected_metrics
    assert all(torch.equal(weights[name], value) for name, value in expected.items())


def test_a_teacher_of_frames(tiny, clear_speech) -> None:
    clear_speech()
    fit(tiny(FRAMES), "teacher", progress=False)
    changes = {
        **FRAMES,
        "train.teacher": "teacher/model.pt",
        "train.distillation": 0.5,
        "train.start_from": "teacher/model.pt",
    }
    run = fit(tiny({**changes, "model.cell": "quantized_lstm"}), "run", progress=False)
    assert np.isfinite(run.record.metrics["history"][-1]["train_loss"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {**FRAMES, "model.output": "sequence"},
            r"model\.output='sequence' with task: frames; set model\.output: frames",
        ),
        ({"model.output": "frames"}, r"model\.output='frames' with task: classify; set model\.output: sequence"),
        ({**FRAMES, "beam_width": 4}, r"beam_width=4 with task: frames: only ctc"),
        ({**CTC, "beam_width": -1}, r"beam_width=-1: pass 0 or more"),
        ({**FRAMES, "task": "frame"}, r"(?s)task.*frame"),
        ({**FRAMES, "data.shift_augmentation": 1}, r"data\.shift_augmentation is for images"),
        ({**FRAMES, "data.augmentation": {"noise": 0.5}}, r"noise=0\.5: the features of random are scaled by speaker"),
        (
            {**FRAMES, "data.augmentation": {**MASKS, "band_mask_bands": 40}},
            r"band_mask_bands=40: pass less than the 40",
        ),
        ({**CTC, "train.label_smoothing": 0.1}, r"train\.label_smoothing=0\.1"),
        (CTC, r"random has frames as targets; set targets: sequence"),
        ({**FRAMES, "data.name": "digits"}, r"'digits' holds sequences of one class"),
        ({"data.name": "timit"}, r"'timit' holds utterances"),
    ],
)
def test_what_cannot_be_trained(tiny, stub_speech, changes, words: str) -> None:
    if "holds" not in words:
        stub_speech("sequence" if "label_smoothing" in words else "frames")
    with pytest.raises(ConfigError, match=words):
        fit(tiny(changes), "run", progress=False)
    assert not Path("run/model.pt").exists()


def test_from_the_command_line(tiny, clear_speech, capsys) -> None:
    clear_speech("sequence", "character")
    Path("recipe.yaml").write_text(yaml.safe_dump(tiny({**CTC, "beam_width": 3}).to_dict()))
    assert main(["train", "recipe.yaml", "--out", "run", "--progress", "false"]) == 0
    said = capsys.readouterr().out
    m = read_record("run/record.json").metrics
    assert f"tiny/test: test wer {m['test_wer']:.4f}, cer {m['test_cer']:.4f}, wer_beam" in said
    assert f"validation wer {m['valid_wer']:.4f}" in said
    assert main(["evaluate", "run/model.pt", "--split", "valid"]) == 0
    said = capsys.readouterr().out
    assert f"valid_cer: {m['valid_cer']:.4f}" in said
    assert main(["evaluate", "run/model.pt", "--record", "out"]) == 0
    assert read_record("out/tiny/test/evaluate_seed0.json").metrics["test_cer_beam"] == m["test_cer_beam"]
