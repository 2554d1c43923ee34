"""Fixtures of the command-line tests: a trained model file, and commands run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from spikeseq import data
from spikeseq.cli.main import main
from spikeseq.data import SequenceData, Split
from spikeseq.nn.checkpoint import ModelSettings, save_model
from spikeseq.ops import fuse
from spikeseq.report.record import Record, write_record

REPOSITORY = Path(__file__).parents[2]
RECIPE = str(REPOSITORY / "recipes" / "digits_rows" / "lstm.yaml")
SMALL = [
    "--set",
    "model.hidden_size=16",
    "--set",
    "train.epochs=4",
    "--set",
    "train.compile=never",
    "--progress",
    "false",
]


class Ran(NamedTuple):
    """What a command left."""

    code: int
    out: str  # words separated by single blanks: the width of the terminal does not matter
    err: str

    def refused(self, *words: str) -> None:
        """Check that it ended with one line that says all the words, and no traceback."""
        assert self.code == 2
        assert self.err.startswith("error: ")
        assert "Traceback" not in self.err
        for word in words:
            assert word in self.err


@pytest.fixture(autouse=True)
def global_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, compile nothing; Lightning's deterministic algorithms end with the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuse, "COMPILE_FROM", 1 << 60)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def spikeseq(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run ``spikeseq ARGUMENTS`` in this process."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return Ran(code, " ".join(out.split()), " ".join(err.split()))

    return run


@pytest.fixture(scope="session")
def digits() -> SequenceData:
    """Digits by rows."""
    return data.load("digits", order="rows")


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first rows of each split are all there is."""
    load = data.load

    def few(name: str, **options: object) -> SequenceData:
        whole = load(name, **options)
        splits = (Split(s.x[:n], s.y[:n]) for s, n in ((whole.train, 48), (whole.valid, 24), (whole.test, 40)))
        return SequenceData(whole.name, *splits, whole.classes, whole.source, whole.licence)

    monkeypatch.setattr(data, "load", few)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run of the digits recipe."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", RECIPE, "--out", str(folder), *SMALL]) == 0
    return folder


HISTORY = [
    {"epoch": epoch, "train_loss": 2.0 / (epoch + 1), "valid_accuracy": 0.5 + 0.1 * epoch, "score": 0.5 + 0.1 * epoch}
    for epoch in range(4)
]


def made_record(name: str, model: ModelSettings, seed: int, **metrics: Any) -> Record:
    """The record of a training that never ran; accuracy differs with the seed."""
    recipe = {
        "name": name, "data": {"name": "digits", "options": {"order": "rows"}}, "model": asdict(model),
        "train": {"epochs": len(HISTORY)}, "seed": seed,
    }  # fmt: skip
    figures = {
        "test_accuracy": 0.9 + 0.02 * seed,
        "energy_fp32_pj": 900.0,
        "energy_int32_pj": 500.0,
        "history": HISTORY,
    }
    git = {"commit": "0123456789abcdef", "dirty": False}
    return Record(
        "train", name, recipe, seed, figures | metrics, {"python": "3.11"}, git, "2026-01-31T12:00:00+00:00", 1.0,
        f"spikeseq train {name}.yaml",
    )  # fmt: skip


@pytest.fixture(scope="session")
def made_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders of an LSTM of two seeds and a quantised LSTM of one, as a training leaves them, untrained."""
    folder, made = tmp_path_factory.mktemp("runs"), []
    lstm, spiking = ModelSettings("torch_lstm", 8), ModelSettings("quantized_lstm", 8, options={"time_steps": 2})
    for name, settings, seed in (("lstm", lstm, 0), ("lstm", lstm, 1), ("snn", spiking, 0)):
        where = folder / name / f"seed{seed}"
        record = made_record(f"digits_rows/{name}", settings, seed)
        torch.manual_seed(seed)
        save_model(where / "model.pt", settings.build(8, 10), settings, (8, 10), {"recipe": record.config})
        write_record(record, where / "record.json")
        made.append(where)
    return made
