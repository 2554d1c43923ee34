"""Every recipe in recipes/ is read and run for one batch, on stand-in data of its own shape (long sequences cut)."""

import dataclasses
from pathlib import Path

import pytest
import torch

from spikeseq import data as data_sets
from spikeseq.data import registry
from spikeseq.data.sequence import Decibels
from spikeseq.data.speech.augmentation import Augmentation
from spikeseq.nn.checkpoint import load_model, save_model
from spikeseq.train.fit import fit
from spikeseq.train.module import ClassifierModule
from spikeseq.train.recipe import read_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
FILES = sorted(
    path for path in RECIPES.rglob("*.yaml") if not path.parent.name.startswith("multi30k")
)  # test_translate_fit.py
# (data set, options) -> L (cut), I, classes
SHAPES = {
    ("digits", "rows", None): (8, 8, 10),
    ("digits", "pixels", None): (12, 1, 10),
    ("mnist", "rows", None): (28, 28, 10),
    ("mnist", "pixels", None): (12, 1, 10),
    ("mnist", "permuted", None): (12, 1, 10),
    ("mnist", "pixels", 14): (12, 1, 10),
    ("uci_har", None, None): (12, 9, 6),
    ("speech_commands", None, None): (12, 40, 15),
    ("timit", None, None): (12, 40, 4),
    ("librispeech", None, None): (12, 40, 4),
    ("nmnist", None, None): (4, 2 * 17 * 17, 10),
    ("dvs_gesture", None, None): (4, 2 * 32 * 32, 11),
    ("imdb", None, None): (9, 9, 2),  # tokens, words
}


def label(path: Path) -> str:
    return path.relative_to(RECIPES).with_suffix("").as_posix()


def made_by(start: str) -> Path:
    """The recipe whose run leaves the model file ``runs/<name>/seed{seed}/model.pt``."""
    head, tail = "runs/", "/seed{seed}/model.pt"
    assert start.startswith(head), start
    assert start.endswith(tail), start
    return RECIPES / f"{start.removeprefix(head).removesuffix(tail)}.yaml"


def test_there_are_recipes():
    assert len(FILES) >= 24


@pytest.mark.parametrize("path", FILES, ids=label)
def test_recipe(path, stub_data, stub_speech, stub_texts, stub_pictures, monkeypatch):
    recipe = read_recipe(path, ["train.epochs=1", "train.compile=never"])
    assert recipe.name == label(path)  # runs and records go by it
    assert path.read_text().startswith("# ")  # says what it is for
    assert set(recipe.data.options) <= registry.options_of(recipe.data.name)
    options = recipe.data.options
    length, size, classes = SHAPES[recipe.data.name, options.get("order"), options.get("side")]
    made = stub_data(length, size, classes)
    if recipe.task == "text":
        size = stub_texts(rows=(8, 4, 4)).input_size
    elif recipe.model.network == "pictures":
        stub_pictures((2, options["size"], options["size"]), length, classes)
        assert size == 2 * options["size"] ** 2
    elif recipe.task != "classify":
        targets = "frames" if recipe.task == "frames" else "sequence"
        stub_speech(targets, "character" if recipe.data.name == "librispeech" else "phone", rows=(4, 3, 3))
        assert options.get("targets", "sequence" if recipe.data.name == "librispeech" else "frames") == targets
        classes += recipe.task == "ctc"  # the blank
    elif recipe.data.augmentation != Augmentation():  # log-mel
        made = dataclasses.replace(made, decibels=Decibels(torch.zeros(()), torch.ones(()), -70.0))
        monkeypatch.setattr(data_sets, "load", lambda name, **options: made)

    for start in {recipe.train.start_from, recipe.train.teacher} - {None}:
        source = read_recipe(made_by(start))  # what it starts from is a recipe too, for the same data
        assert source.data == recipe.data
        model = source.model.build(size, classes)
        save_model(start.replace("{seed}", "0"), model, source.model, (size, classes), {})

    batches = []
    step = ClassifierModule.training_step
    monkeypatch.setattr(
        ClassifierModule, "training_step", lambda self, batch, index: batches.append(index) or step(self, batch, index)
    )
    run = fit(recipe, "run", progress=False)
    assert batches == [0]
    assert run.record.config == recipe.to_dict()
    model, settings, _ = load_model("run/model.pt")
    assert settings == recipe.model
    shape = (2, length, classes) if recipe.model.output == "frames" else (2, classes)
    x = torch.zeros(2, length, dtype=torch.int64) if recipe.task == "text" else torch.zeros(2, length, size)
    assert model(x).shape == shape
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", ["mnist_rows", "uci_har", "speech_commands"])
def test_the_comparison_is_fair(name):
    """Float baseline: as many epochs as source and fine-tuning together, the same size and data."""
    for path in (RECIPES / name).glob("*.yaml"):
        recipe = read_recipe(path)
        layers, hidden = recipe.model.num_layers, recipe.model.hidden_size
        size = "" if layers == 1 else f"_{layers}x{hidden}"
        assert path.stem.endswith(size), path
        baseline, source = (read_recipe(RECIPES / name / f"{n}{size}.yaml") for n in ("lstm", "lstm_source"))
        assert (recipe.data, hidden) == (baseline.data, baseline.model.hidden_size), path
        assert layers == baseline.model.num_layers == source.model.num_layers, path
        if recipe.train.start_from:
            start = made_by(recipe.train.start_from)
            total = recipe.train.epochs + read_recipe(start).train.epochs
            if start.stem == f"lstm{size}":  # what starts from the baseline itself has a baseline of its own
                baseline = read_recipe(RECIPES / name / f"lstm{size}_{total}.yaml")
            else:
                assert start.stem == ("gru_source" if "gated" in recipe.model.cell else f"lstm_source{size}"), path
            assert total == baseline.train.epochs, path
        elif (
            recipe.model.cell in ("torch_gru", "gated_current", "leaky_current", "adlif") and path.stem != "gru_source"
        ):
            assert recipe.train.epochs == baseline.train.epochs, path
