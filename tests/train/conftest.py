"""Fixtures of the training tests: tiny recipes, a tiny data set, and a global state that is put back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from spikeseq import data as data_sets
from spikeseq.data import SequenceData, Split
from spikeseq.train.recipe import Recipe, make_recipe

TINY: dict[str, Any] = {
    "name": "tiny/test",
    "data": {"name": "digits", "batch_size": 64},
    "model": {"cell": "torch_lstm", "hidden_size": 8},
    "train": {"epochs": 2, "learning_rate": 0.01, "compile": "never"},
}


def tiny_recipe(changes: dict[str, Any] | None = None) -> Recipe:
    """A recipe of seconds; ``changes`` are dotted keys and their values."""
    content = copy.deepcopy(TINY)
    for key, value in (changes or {}).items():
        *folders, last = key.split(".")
        section = content
        for folder in folders:
            section = section.setdefault(folder, {})
        section[last] = value
    return make_recipe(content)


def random_data(
    length: int = 8, size: int = 8, classes: int = 10, rows: tuple[int, int, int] = (20, 12, 8)
) -> SequenceData:
    """Random sequences of these sizes."""
    generator = torch.Generator().manual_seed(0)
    splits = (
        Split(torch.rand(n, length, size, generator=generator), torch.randint(classes, (n,), generator=generator))
        for n in rows
    )
    return SequenceData("random", *splits, tuple(map(str, range(classes))), "made up", "none")


@pytest.fixture
def tiny() -> Callable[..., Recipe]:
    """The function that makes a tiny recipe."""
    return tiny_recipe


@pytest.fixture
def stub_data(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SequenceData]:
    """A function: sizes -> random data, which every recipe of this test then loads."""

    def stub(*args: Any, **kwargs: Any) -> SequenceData:
        made = random_data(*args, **kwargs)
        monkeypatch.setattr(data_sets, "load", lambda name, **options: made)
        return made

    return stub


@pytest.fixture(autouse=True)
def global_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder; Lightning's switch to deterministic algorithms ends with the test."""
    monkeypatch.chdir(tmp_path)
    yield
    torch.use_deterministic_algorithms(False)
