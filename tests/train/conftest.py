"""Fixtures of the training tests: tiny recipes, a tiny data set, and a global state that is put back."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikeseq import data as data_sets
from spikeseq.data import SequenceData, SpeechData, Split, TextData, Utterances
from spikeseq.data.text.pairs import Pairs, TranslationData
from spikeseq.data.text.texts import to_texts
from spikeseq.data.text.tokenizer import train_tokenizer
from spikeseq.data.utterances import BLANK
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


def random_speech(targets: str = "frames", unit: str = "phone", rows: tuple[int, int, int] = (10, 6, 5)) -> SpeechData:
    """Random utterances of 6 to 12 frames of 40 bands: 4 phones of which 2 are scored as one, or 4 characters."""
    random = np.random.default_rng(0)
    names = (" ", "A", "B", "C") if unit == "character" else ("a", "b", "c", "d")
    blank = targets == "sequence"
    splits = []
    for n in rows:
        lengths = random.integers(6, 13, n)
        x = random.standard_normal((lengths.sum(), 40)).astype(np.float32)
        labels: Any = tuple(random.integers(blank, 4 + blank, 3 if blank else length) for length in lengths)
        transcripts = None if blank else tuple(random.integers(0, 4, 3) for _ in lengths)
        ids = tuple(f"u{k}" for k in range(n))
        splits.append(Utterances(ids, x, np.cumsum(lengths) - lengths, lengths, labels, transcripts))
    classes, scored = ((BLANK,), (None,)) if blank else ((), ())
    folded = names if unit == "character" else ("a", "bc", "bc", "d")
    return SpeechData(
        "random", *splits, targets, unit, classes + names, scored + folded, "made up", "none", {"silent": 2}
    )  # type: ignore[arg-type]


def random_pictures(
    shape: tuple[int, int, int] = (2, 8, 8),
    length: int = 4,
    classes: int = 10,
    rows: tuple[int, int, int] = (20, 12, 8),
) -> SequenceData:
    """Random sequences of pictures."""
    made = random_data(length, shape[0] * shape[1] * shape[2], classes, rows)
    return dataclasses.replace(made, element_shape=shape)


def random_texts(rows: tuple[int, int, int] = (40, 12, 12)) -> TextData:
    """Texts of 3 to 9 words: those with "good" are pos, those with "bad" neg."""
    pytest.importorskip("tokenizers")
    random = np.random.default_rng(0)
    filler = ("a", "film", "of", "the", "year")
    texts: list[list[tuple[str, int]]] = []
    for n in rows:
        texts.append([])
        for k in range(n):
            words = list(random.choice(filler, random.integers(2, 9)))
            words.insert(int(random.integers(len(words))), "good" if k % 2 else "bad")
            texts[-1].append((" ".join(words), k % 2))
    tokenizer = train_tokenizer((text for text, _ in texts[0]), 100)
    splits = (to_texts(tokenizer.encode([t for t, _ in part]), [y for _, y in part]) for part in texts)
    return TextData("random", *splits, ("neg", "pos"), tokenizer, "made up", "none")


def random_pairs(rows: tuple[int, int, int] = (26, 7, 5)) -> TranslationData:
    """Sentences of 2 to 6 words and the same words backwards."""
    pytest.importorskip("tokenizers")
    random, words = np.random.default_rng(0), ("ein", "Hund", "und", "die", "Katze", "rennen")
    texts = [[" ".join(random.choice(words, random.integers(2, 7))) for _ in range(n)] for n in rows]
    tokenizer = train_tokenizer(texts[0], 40, "bpe", frame=True)
    splits = []
    for part in texts:
        back = [" ".join(reversed(text.split())) for text in part]
        splits.append(Pairs(tuple(tokenizer.encode(part)), tuple(tokenizer.encode(back)), tuple(part), tuple(back)))
    return TranslationData("random", *splits, tokenizer, ("de", "en"), False, "made up", "none")


@pytest.fixture
def stub_texts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., TextData]:
    """A function: random texts, which every recipe of this test then loads."""

    def stub(*args: Any, **kwargs: Any) -> TextData:
        made = random_texts(*args, **kwargs)
        monkeypatch.setattr(data_sets, "load_text", lambda name, **options: made)
        return made

    return stub


@pytest.fixture
def stub_pictures(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SequenceData]:
    """The same for sequences of pictures."""

    def stub(*args: Any, **kwargs: Any) -> SequenceData:
        made = random_pictures(*args, **kwargs)
        monkeypatch.setattr(data_sets, "load", lambda name, **options: made)
        return made

    return stub


@pytest.fixture
def stub_speech(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SpeechData]:
    """The same for utterances."""

    def stub(*args: Any, **kwargs: Any) -> SpeechData:
        made = random_speech(*args, **kwargs)
        monkeypatch.setattr(data_sets, "load_speech", lambda name, **options: made)
        return made

    return stub


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
