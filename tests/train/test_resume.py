"""A run that was killed and resumed is the run that was never killed, bit for bit."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from spikeseq import data as data_sets
from spikeseq.cli.main import main
from spikeseq.data.sequence import Decibels
from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.nn.checkpoint import load_model
from spikeseq.report.record import read_record
from spikeseq.train.fit import fit
from spikeseq.train.module import ClassifierModule

# everything that has a memory or draws random numbers
CHANGES = {
    "model.cell": "quantized_lstm", "model.hidden_size": 16, "model.num_layers": 2, "model.dropout": 0.2,
    "model.options": {"time_steps": 2}, "data.shift_augmentation": 1, "train.epochs": 5, "train.warmup": 0.2,
    "train.progressive_time_steps": [4], "train.gate_schedule": {"factor": 0.5, "epochs": 4},
    "train.target_spike_rate": 0.2, "train.weight_decay": 0.01, "train.weight_average": 0.9, "train.patience": 4, "seed": 3,
}  # fmt: skip

KILL = """
import os, signal, sys
from spikeseq import data as data_sets
from spikeseq.cli.main import main
from spikeseq.train.module import ClassifierModule
step = ClassifierModule.training_step
def killing(self, batch, index):
    if (self.current_epoch, index) == (3, 5):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, index)
ClassifierModule.training_step = killing
sys.exit(main(sys.argv[1:]))
"""


def outcome(folder: Path):
    """Weights, and metrics but for the time they took."""
    metrics = dict(read_record(folder / "record.json").metrics)
    del metrics["train_seconds"]
    return load_model(folder / "model.pt")[0].state_dict(), metrics


def assert_same(one: Path, other: Path) -> None:
    (weights, metrics), (expected, expected_metrics) = outcome(one), outcome(other)
    assert metrics == expected_metrics
    assert list(weights) == list(expected)
    for name, value in expected.items():
        assert torch.equal(weights[name], value), name


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The folder of the whole run (made once; the recipe is the same in every test)."""
    return tmp_path_factory.mktemp("unbroken")


def whole(folder: Path, recipe) -> Path:
    if not (folder / "record.json").exists():
        fit(recipe, folder, progress=False)
    return folder


def test_killed_and_resumed(tiny, unbroken, tmp_path):
    recipe = tiny(CHANGES)
    Path("recipe.yaml").write_text(yaml.safe_dump(recipe.to_dict()))
    command = ["train", "recipe.yaml", "--out", "run", "--progress", "false"]
    killed = subprocess.run(
        [sys.executable, "-c", KILL, *command], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert Path("run/last.ckpt").exists()
    assert not Path("run/model.pt").exists()
    assert not Path("run/record.json").exists()
    assert main([*command, "--resume", "true"]) == 0
    assert_same(tmp_path / "run", whole(unbroken, recipe))
    assert len(outcome(tmp_path / "run")[1]["history"]) == 5


class Stop(Exception):
    """Stands for any end in the middle."""


@pytest.mark.parametrize(
    ("place", "epoch"), [("training_step", 1), ("on_validation_epoch_end", 2), ("on_train_epoch_start", 4)]
)
def test_stopped_anywhere_and_resumed(tiny, unbroken, tmp_path, monkeypatch, place, epoch):
    recipe = tiny(CHANGES)
    with monkeypatch.context() as patch:
        inner = getattr(ClassifierModule, place)

        def stopping(self, *args):
            if self.current_epoch == epoch:
                raise Stop
            return inner(self, *args)

        patch.setattr(ClassifierModule, place, stopping)
        with pytest.raises(Stop):
            fit(recipe, tmp_path / "run", progress=False)
    assert not Path("run/model.pt").exists()
    fit(recipe, tmp_path / "run", resume=True, progress=False)
    assert_same(tmp_path / "run", whole(unbroken, recipe))


def test_stopped_in_the_first_epoch_or_never_started(tiny, stub_data, monkeypatch):
    """Nothing to go on from: it begins at the beginning."""
    stub_data()
    fit(tiny(), "whole", progress=False)
    fit(tiny(), "fresh", resume=True, progress=False)
    assert_same(Path("fresh"), Path("whole"))


def test_resuming_a_finished_run_changes_nothing(tiny, stub_data):
    stub_data()
    fit(tiny(), "run", progress=False)
    before = outcome(Path("run"))[0]
    again = fit(tiny(), "run", resume=True, progress=False)
    assert all(torch.equal(again.model.state_dict()[name], value) for name, value in before.items())
    assert again.record.metrics["epochs"] == 2


def test_without_resume_it_starts_anew(tiny, stub_data):
    stub_data()
    fit(tiny({"train.epochs": 4}), "run", progress=False)
    fit(tiny(), "run", progress=False)
    fit(tiny(), "fresh", progress=False)
    assert_same(Path("run"), Path("fresh"))


def test_a_run_that_was_moved(tiny, stub_data, monkeypatch):
    """The folder may have another name, or stand on another disk, when the run goes on."""
    stub_data()
    recipe = tiny({"train.epochs": 4})
    fit(recipe, "whole", progress=False)
    step = ClassifierModule.training_step
    with monkeypatch.context() as patch:
        patch.setattr(
            ClassifierModule, "training_step",
            lambda self, batch, index: 1 / 0 if self.current_epoch == 2 else step(self, batch, index),
        )  # fmt: skip
        with pytest.raises(ZeroDivisionError):
            fit(recipe, "run", progress=False)
    os.rename("run", "moved")
    fit(recipe, "moved", resume=True, progress=False)
    assert_same(Path("moved"), Path("whole"))


def worse_and_worse(monkeypatch):
    """The first epoch has the best score."""
    end = ClassifierModule.on_validation_epoch_end

    def scripted(self):
        self.meter.hits, self.meter.rows = 90 - self.current_epoch, 100
        end(self)

    monkeypatch.setattr(ClassifierModule, "on_validation_epoch_end", scripted)


def test_a_moved_run_keeps_its_best_epoch(tiny, stub_data, monkeypatch):
    """Worse epochs after the move do not take the place of the better one before."""
    stub_data()
    worse_and_worse(monkeypatch)
    fit(tiny({"train.epochs": 4, "train.schedule": "constant"}), "whole", progress=False)
    fit(tiny({"train.epochs": 2, "train.schedule": "constant"}), "run", progress=False)
    os.rename("run", "moved")
    fit(tiny({"train.epochs": 4, "train.schedule": "constant"}), "moved", resume=True, progress=False)
    assert torch.load("moved/best.ckpt", weights_only=True)["epoch"] == 0
    assert_same(Path("moved"), Path("whole"))
    assert not Path("run").exists()


def test_a_finished_run_that_was_moved(tiny, stub_data):
    stub_data()
    fit(tiny(), "run", progress=False)
    before = outcome(Path("run"))[0]
    os.rename("run", "moved")
    again = fit(tiny(), "moved", resume=True, progress=False)
    assert all(torch.equal(again.model.state_dict()[name], value) for name, value in before.items())


def test_weights_of_another_epoch_are_refused(tiny, stub_data, monkeypatch):
    stub_data()
    worse_and_worse(monkeypatch)
    fit(tiny(), "run", progress=False)
    shutil.copy("run/last.ckpt", "run/best.ckpt")
    with pytest.raises(CheckpointError, match=r"run/best.ckpt' is of epoch 1, but the best epoch of this run is 0"):
        fit(tiny(), "run", resume=True, progress=False)
    Path("run/best.ckpt").unlink()
    with pytest.raises(CheckpointError, match=r"run/best.ckpt' cannot be read.*train anew"):
        fit(tiny(), "run", resume=True, progress=False)


def test_a_run_that_stopped_early_stays_stopped(tiny, stub_data, monkeypatch):
    stub_data()
    worse_and_worse(monkeypatch)
    recipe = tiny({"train.epochs": 9, "train.patience": 2})
    before = fit(recipe, "run", progress=False).record.metrics
    assert before["epochs"] == 3
    Path("run/record.json").unlink()  # as if it had been killed at the final test
    fit(recipe, "run", resume=True, progress=False)
    after = outcome(Path("run"))[1]
    assert after == {name: value for name, value in before.items() if name != "train_seconds"}


def test_time_is_that_of_all_legs(tiny, stub_data):
    stub_data()
    recipe = tiny({"train.schedule": "constant"})
    fit(recipe, "run", progress=False)
    content = torch.load("run/last.ckpt", weights_only=True)
    assert 0 < content["spikeseq"]["clock"]["seconds"] < 600
    content["spikeseq"]["clock"] = {"started": "2001-02-03T04:05:06+00:00", "seconds": 1000.0}
    torch.save(content, "run/last.ckpt")
    record = fit(dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, epochs=3)), "run", resume=True,
                 progress=False).record  # fmt: skip
    assert 1000 < record.seconds < 1600
    assert record.metrics["train_seconds"] == record.seconds
    assert record.started == "2001-02-03T04:05:06+00:00"


def test_augmented_speech_goes_on_as_if_unbroken(tiny, stub_data, monkeypatch):
    """Shift, noise and masks are drawn again as they would have been."""
    made = dataclasses.replace(stub_data(), decibels=Decibels(torch.zeros(()), torch.ones(()), -70.0))
    monkeypatch.setattr(data_sets, "load", lambda name, **options: made)
    settings = {"time_shift_ms": 20, "noise": 0.5, "time_masks": 1, "time_mask_frames": 3}
    recipe = tiny({"train.epochs": 4, "data.batch_size": 8, "data.augmentation": settings})
    fit(recipe, "whole", progress=False)
    with monkeypatch.context() as patch:
        end = ClassifierModule.on_train_epoch_start
        patch.setattr(
            ClassifierModule, "on_train_epoch_start", lambda self: 1 / 0 if self.current_epoch == 2 else end(self)
        )
        with pytest.raises(ZeroDivisionError):
            fit(recipe, "run", progress=False)
    fit(recipe, "run", resume=True, progress=False)
    assert_same(Path("run"), Path("whole"))
    fit(tiny({"train.epochs": 4, "data.batch_size": 8}), "plain", progress=False)
    assert outcome(Path("plain"))[1]["history"] != outcome(Path("whole"))[1]["history"]


def test_what_is_resumed_is_the_last_epoch_not_the_best(tiny, stub_data, monkeypatch):
    """Hours after the best epoch must not be trained again."""
    stub_data()
    worse_and_worse(monkeypatch)
    fit(tiny({"train.epochs": 4}), "run", progress=False)
    assert torch.load("run/last.ckpt", weights_only=True)["epoch"] == 3
    assert torch.load("run/best.ckpt", weights_only=True)["epoch"] == 0


def refused(tiny, error, words, **changes):
    with pytest.raises(error, match=words) as caught:
        fit(tiny({"train.epochs": 4, **changes}), "run", resume=True, progress=False)
    assert type(caught.value) is error


def test_a_damaged_checkpoint(tiny, stub_data):
    stub_data()
    fit(tiny(), "run", progress=False)
    last = Path("run/last.ckpt")
    content = last.read_bytes()
    for damaged in (content[: len(content) // 2], content[:10], b"", b"no checkpoint at all"):
        last.write_bytes(damaged)
        refused(tiny, CheckpointError, r"(?s)'run/last.ckpt' cannot be read .*delete it and train anew")


def test_a_foreign_checkpoint(tiny, stub_data):
    stub_data()
    fit(tiny(), "run", progress=False)
    torch.save({"epoch": 1}, "run/last.ckpt")
    refused(tiny, CheckpointError, r"'run/last.ckpt' was not written by spikeseq train; choose another folder")
    torch.save([1, 2], "run/last.ckpt")
    refused(tiny, CheckpointError, r"'run/last.ckpt' was not written by spikeseq train")


@pytest.mark.parametrize(
    "changes",
    [{"model.hidden_size": 9}, {"model.cell": "hard_lstm"}, {"model.num_layers": 2}, {"model.bidirectional": True}],
)
def test_a_checkpoint_of_another_architecture(tiny, stub_data, changes):
    stub_data()
    fit(tiny(), "run", progress=False)
    refused(tiny, CheckpointError, r"run/last.ckpt' belongs to another architecture", **changes)


def test_a_checkpoint_that_has_trained_longer(tiny, stub_data):
    stub_data()
    fit(tiny(), "run", progress=False)
    refused(tiny, ConfigError, r"run/last.ckpt has trained 2 epochs, the recipe asks for 1", **{"train.epochs": 1})


def test_a_checkpoint_with_or_without_a_spike_budget(tiny, stub_data):
    stub_data()
    quantized, budget = {"model.cell": "quantized_lstm"}, {"train.target_spike_rate": 0.2}
    fit(tiny({**quantized, "train.epochs": 1}), "free", progress=False)
    with pytest.raises(ConfigError, match=r"trained without train\.target_spike_rate.*train anew"):
        fit(tiny({**quantized, **budget}), "free", resume=True, progress=False)
    fit(tiny({**quantized, **budget, "train.epochs": 1}), "held", progress=False)
    with pytest.raises(ConfigError, match=r"trained with train\.target_spike_rate.*train anew"):
        fit(tiny(quantized), "held", resume=True, progress=False)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("train.learning_rate", 0.02, r"train\.learning_rate=0\.01, this recipe has 0\.02: set it back.*train anew"),
        ("seed", 1, "seed=0, this recipe has 1"),
        ("data.batch_size", 32, "data.batch_size=64, this recipe has 32"),
        ("data.options", {"order": "rows"}, "data.options.order=nothing, this recipe has 'rows'"),
        ("train.teacher", "run/model.pt", "train.teacher=None, this recipe has 'run/model.pt'"),
        ("train.schedule", "constant", "train.schedule='cosine'"),
    ],
)
def test_a_checkpoint_of_another_recipe(tiny, stub_data, key, value, words):
    stub_data()
    fit(tiny(), "run", progress=False)
    before = Path("run/last.ckpt").read_bytes()
    refused(tiny, ConfigError, words, **{key: value})
    assert Path("run/last.ckpt").read_bytes() == before


def test_other_machines_and_older_checkpoints_go_on(tiny, stub_data):
    stub_data()
    fit(tiny(), "run", progress=False)
    assert fit(tiny({"trainer.accelerator": "cpu", "train.epochs": 3}), "run", resume=True, progress=False)
    content = torch.load("run/last.ckpt", weights_only=True)
    del content["spikeseq"]["recipe"], content["spikeseq"]["clock"]
    torch.save(content, "run/last.ckpt")
    again = fit(tiny({"train.learning_rate": 0.02, "train.epochs": 4}), "run", resume=True, progress=False)
    assert again.record.metrics["epochs"] == 4


def test_keys_that_are_younger_than_the_checkpoint_have_their_defaults(tiny, stub_data):
    stub_data()
    fit(tiny(), "run", progress=False)
    content = torch.load("run/last.ckpt", weights_only=True)
    del content["spikeseq"]["recipe"]["train"]["gate_schedule"], content["spikeseq"]["recipe"]["beam_width"]
    torch.save(content, "run/last.ckpt")
    assert fit(tiny(), "run", resume=True, progress=False)
    content["spikeseq"]["recipe"]["train"]["forgotten"] = 1
    torch.save(content, "run/last.ckpt")
    refused(tiny, ConfigError, r"trained by another version of spikeseq \(unknown recipe key 'train.forgotten'")
