"""Two processes train as one with batches twice as large; one of them is lost, and the training goes on where it was."""

import signal
import time
from pathlib import Path

import pytest
import torch
import two_processes
import yaml

from spikeseq.errors import ConfigError
from spikeseq.nn.checkpoint import load_model
from spikeseq.report.record import read_record
from spikeseq.train import batches, buckets
from spikeseq.train.launch import started_by
from spikeseq.train.machines import TrainerSettings
from spikeseq.train.module import ClassifierModule
from spikeseq.train.ranks import Ranks, global_batches

CASES = {
    # mean |h| and its budget are over all processes as well
    "classify": {
        "model.cell": "quantized_lstm", "train.target_spike_rate": 0.2, "data.batch_size": 4, "train.weight_average": 0.9
    },
    # 26 utterances in batches of 8: the frames of two processes are not equally many
    "frames": {
        "model.cell": "spiking_lstm", "model.output": "frames", "task": "frames", "data.name": "timit",
        "data.batch_size": 4, "train.packet_penalty": 0.1,
    },
    "ctc": {"model.output": "frames", "task": "ctc", "data.name": "timit", "data.batch_size": 4},
    # without dropout, whose masks are each process's own
    "texts": {
        "task": "text", "data.name": "imdb", "data.batch_size": 4, "model.network": "text", "model.cell": "lif",
        "model.text": {"embedding_size": 12, "embedding_dropout": 0.0}, "train.first_thresholds": {"percentile": 99.0},
        "train.spike_penalty": 0.1,
    },
    "pictures": {
        "data.name": "nmnist", "data.batch_size": 4, "model.network": "pictures", "model.cell": "lif",
        "model.pictures": {"channels": [3, 4], "pooling": "sum"}, "train.first_thresholds": {"percentile": 99.0},
    },
    "translation": {
        "task": "translate", "data.name": "multi30k", "data.batch_size": 4, "model.network": "translation",
        "model.cell": "lif", "model.translation": {"embedding_size": 12, "positions": 30}, "train.label_smoothing": 0.1,
    },
}  # fmt: skip


def own_recipe(tiny, changes):
    return tiny({"train.epochs": 3, "trainer.accelerator": "cpu", "trainer.timeout": 60, **changes})


@pytest.mark.parametrize("case", CASES)
def test_two_processes_are_one_with_twice_the_batch(tiny, case):
    recipe = own_recipe(tiny, CASES[case])
    Path("two").mkdir()
    assert two_processes.finish(two_processes.start(two_processes.train, 2, recipe.to_dict(), "two")) == [0, 0]
    double = own_recipe(tiny, {**CASES[case], "data.batch_size": 8}).to_dict()
    Path("one").mkdir()
    assert two_processes.finish(two_processes.start(two_processes.train, 1, double, "one")) == [0]
    first, second = (torch.load(f"two/found{rank}.pt") for rank in (0, 1))
    one = torch.load("one/found0.pt")

    assert len(first["grads"]) == len(one["grads"]) == 3 * (3 if recipe.task == "classify" else 4)
    for two_grads, other_grads, one_grads in zip(first["grads"], second["grads"], one["grads"], strict=True):
        for grad, other, wanted in zip(two_grads, other_grads, one_grads, strict=True):
            assert torch.equal(grad, other)
            torch.testing.assert_close(grad, wanted, rtol=1e-4, atol=1e-6)
    for own, wanted in zip(first["metrics"]["history"], one["metrics"]["history"], strict=True):
        assert own == pytest.approx(wanted, rel=1e-5)
    assert first["metrics"]["history"] == second["metrics"]["history"]
    for name, wanted in one["weights"].items():
        torch.testing.assert_close(first["weights"][name], wanted, rtol=1e-3, atol=1e-5)

    assert (first["rank"], second["rank"]) == (0, 1)
    assert (first["written"], second["written"]) == (["two/record.json"], [])
    record = read_record("two/record.json")
    assert record.metrics["processes"] == 2
    tested = {k for k in one["metrics"] if k.startswith("test_")}
    assert tested
    assert tested <= set(record.metrics)
    assert not tested & set(second["metrics"])
    saved = load_model("two/model.pt")[0].state_dict()
    assert all(torch.equal(saved[name], value) for name, value in first["weights"].items())


# everything that has a memory or draws random numbers, as in test_resume.py
MEMORY = {
    "model.cell": "quantized_lstm", "model.num_layers": 2, "model.dropout": 0.2, "data.shift_augmentation": 1,
    "data.batch_size": 128, "train.epochs": 4, "train.progressive_time_steps": [4], "train.target_spike_rate": 0.2,
    "train.weight_average": 0.9,
}  # fmt: skip


def command(tiny, folder, changes=None, *extra):
    Path("recipe.yaml").write_text(yaml.safe_dump(own_recipe(tiny, {**MEMORY, **(changes or {})}).to_dict()))
    return ["train", "recipe.yaml", "--out", folder, "--progress", "false", *extra]


def errors(rank):
    return Path(f"err{rank}.txt").read_text()


def test_a_killed_rank_ends_the_job_and_is_made_up_for(tiny):
    arguments = command(tiny, "run")
    processes = two_processes.start(two_processes.command, 2, arguments, (2, 3, "kill"))
    assert two_processes.finish(processes) == [2, -signal.SIGKILL]
    assert "error: another process of this training was lost" in errors(0)
    assert "go on with --resume (run/last.ckpt)" in errors(0)
    assert "Traceback" not in errors(0)
    assert not Path("run/model.pt").exists()
    assert not Path("run/record.json").exists()

    again = two_processes.start(two_processes.command, 2, [*arguments, "--resume", "true"])
    assert two_processes.finish(again) == [0, 0], errors(0)
    whole = two_processes.start(two_processes.command, 2, command(tiny, "whole"))
    assert two_processes.finish(whole) == [0, 0]
    found, wanted = read_record("run/record.json").metrics, read_record("whole/record.json").metrics
    assert {k: v for k, v in found.items() if k != "train_seconds"} == {
        k: v for k, v in wanted.items() if k != "train_seconds"
    }
    resumed, unbroken = (load_model(f"{folder}/model.pt")[0].state_dict() for folder in ("run", "whole"))
    assert all(torch.equal(resumed[name], value) for name, value in unbroken.items())


def test_a_rank_that_hangs_ends_the_job_after_the_timeout(tiny):
    started = time.monotonic()
    arguments = command(tiny, "run", {"trainer.timeout": 3})
    processes = two_processes.start(two_processes.command, 2, arguments, (0, 1, "hang"))
    processes[0].join(90)
    assert processes[0].exitcode == 2
    assert time.monotonic() - started < 90
    two_processes.finish(processes, 0)
    assert "error: another process of this training was lost, or did not answer in time" in errors(0)
    assert "no epoch was finished: start it again" in errors(0)


def test_another_number_of_processes_is_refused(tiny):
    module = ClassifierModule(tiny().model.build(8, 10), tiny().train, 0)
    content = {}
    module.on_save_checkpoint(content)
    assert content["spikeseq"]["processes"] == 1
    content["spikeseq"]["processes"] = 4
    with pytest.raises(ConfigError, match=r"trained by 4 process.*this is a job of 1.*start 4, or choose another"):
        module.on_load_checkpoint(content)


@pytest.mark.parametrize("rows", [2, 7, 8, 15, 16, 17, 24, 25, 41])
@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("kind", ["rows", "lengths"])
def test_the_shares_of_all_ranks_are_the_batches_of_one_process(monkeypatch, rows, seed, kind):
    lengths = torch.randint(1, 30, (rows,), generator=torch.Generator().manual_seed(1))

    def taken(rank, processes, size):
        for module in (batches, buckets):
            monkeypatch.setattr(module, "ranks", lambda: Ranks(rank, processes))
        sampler = (
            batches._Batches(rows, size, seed, True) if kind == "rows" else buckets._Buckets(lengths, size, seed, True)
        )
        sampler.set_epoch(2)
        picks = list(sampler)
        assert len(picks) == len(sampler)
        return picks

    whole, shares = taken(0, 1, 8), [taken(rank, 2, 4) for rank in (0, 1)]
    joined = [torch.cat([first.rows, second.rows]) for first, second in zip(*shares, strict=True)]
    if rows % 8 == 1 and rows > 8 and not (seed and kind == "rows"):  # a single row for two processes
        assert len(joined) == len(whole) - 1
        assert torch.cat(joined).sort()[0].tolist() == list(range(rows))
    else:
        for together, pick in zip(joined, whole, strict=True):
            assert together.sort()[0].tolist() == pick.rows.sort()[0].tolist()
    assert all(len(pick.rows) for picks in shares for pick in picks)
    if seed is not None:
        seeds = [pick.seed for picks in shares for pick in picks]
        assert len(set(seeds)) == len(seeds)  # no two batches are augmented alike


def test_fewer_rows_than_processes():
    with pytest.raises(ConfigError, match=r"3 sequences for 4 processes: set trainer\.devices"):
        global_batches(torch.arange(3), 8, 4)


def test_who_says_how_many(monkeypatch):
    assert started_by(TrainerSettings(devices=2)) == (2, 1)
    torchrun = {"WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "TORCHELASTIC_RUN_ID": "x"}
    with monkeypatch.context() as patch:
        for name, value in torchrun.items():
            patch.setenv(name, value)
        assert started_by(TrainerSettings()) == started_by(TrainerSettings(devices=4, num_nodes=2)) == (4, 2)
        with pytest.raises(
            ConfigError, match=r"trainer\.devices=2 and num_nodes=1, but torchrun has started 4 processes"
        ):
            started_by(TrainerSettings(devices=2))
    slurm = {"SLURM_NTASKS": "6", "SLURM_NTASKS_PER_NODE": "3", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "train"}
    monkeypatch.setattr("lightning.fabric.plugins.environments.slurm.shutil.which", lambda name: "/usr/bin/srun")
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    assert started_by(TrainerSettings()) == (3, 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trainer.devices": 0}, r"trainer\.devices=0: pass 1 or more"),
        ({"trainer.num_nodes": 0}, r"trainer\.num_nodes=0"),
        ({"trainer.timeout": 0}, r"trainer\.timeout=0"),
        ({"trainer.strategy": "fsdp"}, "ddp"),
        ({"trainer.precision": "16"}, "bf16-mixed"),
        ({"trainer.device": 2}, r"trainer\.device'.*did you mean 'devices'"),
    ],
)
def test_settings_that_cannot_be(tiny, changes, words):
    with pytest.raises(ConfigError, match=words):
        tiny(changes)
