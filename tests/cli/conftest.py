"""Fixtures of the command-line tests: a trained model file, and commands run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from spikeseq.cli.main import main

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


@pytest.fixture(autouse=True)
def global_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder; Lightning's switch to deterministic algorithms ends with the test."""
    monkeypatch.chdir(tmp_path)
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
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run of the digits recipe."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", RECIPE, "--out", str(folder), *SMALL]) == 0
    return folder
