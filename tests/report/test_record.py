"""The record of a run: what goes in comes back; what is wrong is refused by name."""

import json
import sys
from dataclasses import replace
from datetime import datetime, timezone
from importlib import metadata

import numpy as np
import pytest

from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.report import environment as surroundings
from spikeseq.report.record import Record, environment, new_record, read_record, read_records, write_record

CONFIG = {"data": {"name": "mnist_rows"}, "model": {"cell": "spiking", "time_steps": 2, "gates": ("i", "f")}}
METRICS = {"test_accuracy": np.float32(0.5), "epochs": np.int64(12), "note": "ü <b>", "list": [1, {"x": None}]}


def make(**changes) -> Record:
    start = datetime(2025, 1, 31, 12, tzinfo=timezone.utc)
    record = new_record(
        "train", "mnist_rows/spiking_t2", config=CONFIG, seed=1, metrics=METRICS, started=start, seconds=1.5, threads=2
    )
    return replace(record, **changes)


def test_round_trip_gives_an_equal_record_of_plain_values(tmp_path):
    record = make()
    path = write_record(record, tmp_path / "record.json")
    assert read_record(path) == record
    assert json.loads(path.read_text())["schema"] == "spikeseq-record/1"
    assert record.config["model"]["gates"] == ["i", "f"]
    assert type(record.metrics["test_accuracy"]) is float
    assert type(record.metrics["epochs"]) is int
    assert record.started == "2025-01-31T12:00:00+00:00"
    assert record.versions["threads"] == 2


def test_record_does_not_share_its_caller_s_dicts():
    metrics = {"curve": [1, 2]}
    record = make(metrics=metrics)
    metrics["curve"].append(3)
    assert record.metrics == {"curve": [1, 2]}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -np.inf, np.float32("nan")])
@pytest.mark.parametrize(
    ("wrap", "key"),
    [
        (lambda v: {"loss": v}, "metrics.loss"),
        (lambda v: {"post_hoc": [{"T": 1}, {"T": v}]}, r"metrics.post_hoc\[1\].T"),
    ],
)
def test_not_finite_is_refused_by_key(wrap, key, bad):
    with pytest.raises(ConfigError, match=key):
        make(metrics=wrap(bad))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metrics": {"test_accuracy": 98.6}}, "metrics.test_accuracy is 98.6: an accuracy is a fraction"),
        ({"metrics": {"w": np.zeros(2)}}, "metrics.w is a ndarray"),
        ({"metrics": {"a": {1: 2}}}, "metrics.a has the key 1"),
        ({"metrics": [1]}, "metrics is a list"),
        ({"config": {"x": float("inf")}}, "config.x is inf"),
        ({"kind": "trian"}, "did you mean 'train'"),
        ({"name": " "}, "name is ' '"),
        ({"seed": 1.0}, "seed is 1.0"),
        ({"seed": True}, "seed is True"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"seconds": -1}, "seconds is -1"),
        ({"started": "yesterday"}, "started is 'yesterday'"),
        ({"started": "2025-01-31T12:00:00"}, "add the offset"),
        ({"git": {"commit": "abc"}}, "git is"),
    ],
)
def test_bad_field_is_refused_by_name(changes, words):
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        make(**changes)


def _without(content, key):
    return {k: v for k, v in content.items() if k != key}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda c: json.dumps(c)[:-20], "corrupt or truncated"),
        (lambda c: "", "corrupt or truncated"),
        (lambda c: json.dumps(c).replace("0.5", "NaN"), "NaN, which is not JSON"),
        (lambda c: json.dumps(c | {"schema": "other/1"}), "schema is 'other/1', expected 'spikeseq-record/1'"),
        (lambda c: json.dumps({"results": 1}), "not a spikeseq record: schema is None"),
        (lambda c: "[1, 2]", "not a spikeseq record: schema is 'list'"),
        (lambda c: json.dumps(_without(c, "seed")), r"misses fields \['seed'\]"),
        (lambda c: json.dumps(c | {"sede": 1}), r"has unknown fields \['sede'\]"),
        (lambda c: json.dumps(c | {"metrics": 3}), "is corrupt: metrics is a int"),
        (lambda c: json.dumps(c).replace("0.5", 100_000 * "[" + 100_000 * "]"), "values within values without end"),
        (lambda c: json.dumps(c).replace("0.5", 900 * "[" + 900 * "]"), "values within values|checksum differs"),
        (lambda c: json.dumps(c | {"seed": 2}), "not what was written: its checksum differs"),
    ],
)
def test_damaged_file_is_refused_with_its_path(tmp_path, damage, words):
    path = write_record(make(), tmp_path / "record.json")
    path.write_text(damage(json.loads(path.read_text())))
    with pytest.raises(CheckpointError, match=words) as caught:
        read_record(path)
    assert str(path) in str(caught.value)


def test_a_record_of_before_there_were_checksums_is_read(tmp_path):
    path = write_record(make(), tmp_path / "record.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(_without(content, "sha256")))
    assert read_record(path) == make()
    path.write_text(json.dumps(dict(sorted(content.items()))))  # the layout is free
    assert read_record(path) == make()


def test_binary_and_missing_files_are_refused(tmp_path):
    (tmp_path / "r.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match="corrupt"):
        read_record(tmp_path / "r.json")
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        read_record(tmp_path / "none.json")
    with pytest.raises(CheckpointError, match="no folder"):
        read_records(tmp_path / "none")


def test_folder_is_read_recursively_and_sorted_by_content(tmp_path):
    for path, changes in {
        "z/1": {"name": "a/x", "seed": 2},
        "b": {"name": "b/x"},
        "y": {"name": "a/x", "seed": 0},
    }.items():
        write_record(make(**changes), tmp_path / f"{path}.json")
    (tmp_path / "notes.txt").write_text("no record")
    assert [(r.name, r.seed) for r in read_records(tmp_path)] == [("a/x", 0), ("a/x", 2), ("b/x", 1)]


def test_environment_names_what_the_process_uses(monkeypatch):
    monkeypatch.delitem(sys.modules, "optuna", raising=False)
    assert "optuna" not in environment()
    monkeypatch.setitem(sys.modules, "sklearn", sys)
    assert environment()["scikit-learn"] == metadata.version("scikit-learn")


def test_environment_names_versions_and_machine(monkeypatch):
    found = environment()
    assert {"python", "torch", "numpy", "platform", "cpu", "threads"} <= set(found)
    assert found["numpy"] == np.__version__
    assert found["cpu"]
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert environment()["threads"] == 7
    assert environment(threads=3)["threads"] == 3


def test_package_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(surroundings, "PACKAGES", ("numpy", "no-such-package-of-ours"))
    assert "no-such-package-of-ours" not in environment()


def test_git_state_of_a_checkout_and_outside_of_one(tmp_path, monkeypatch):
    package = tmp_path / "pkg"
    (package / "report").mkdir(parents=True)
    (package / "errors.py").write_text("")
    monkeypatch.setattr(surroundings, "__file__", str(package / "report" / "environment.py"))

    def git(*arguments):
        identity = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false")
        return surroundings._git(tmp_path, *identity, *arguments)

    assert surroundings.git_state() is None  # no repository at all
    assert git("init") is not None
    assert git("commit", "--allow-empty", "-m", "empty") is not None
    assert surroundings.git_state() is None  # another project's repository: our file is not in it
    git("add", "pkg")
    git("commit", "-m", "first")
    clean = surroundings.git_state()
    assert clean == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    (package / "errors.py").write_text("changed")
    assert surroundings.git_state() == {**clean, "dirty": True}


def test_no_git_program_is_no_error(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert surroundings.git_state() is None


def test_the_command_is_what_a_person_types(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/x/bin/spikeseq", "train", "a b.yaml"])
    assert surroundings.command_line() == "spikeseq train 'a b.yaml'"
    monkeypatch.setattr(sys, "argv", ["/x/src/spikeseq/__main__.py", "train"])
    assert surroundings.command_line() == "python -m spikeseq train"
    monkeypatch.setattr(sys, "argv", [""])
    assert surroundings.command_line() == ""


def test_a_checksum_that_is_gone_is_missed(tmp_path):
    """Damage can take the end of one line and the name of the next."""
    path = write_record(replace(make(), started="2026-11-23T00:00:00+00:00"), tmp_path / "record.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(_without(content, "sha256")))
    with pytest.raises(CheckpointError, match="is not what was written: its checksum differs"):
        read_record(path)
