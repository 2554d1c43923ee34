"""Recipes: what is written is what is read; what cannot be meant is refused by name."""

import re

import pytest
import yaml

from spikeseq.errors import ConfigError
from spikeseq.train.recipe import Recipe, make_recipe, read_recipe
from spikeseq.train.settings import GateSchedule
from spikeseq.train.start_network import with_seed


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(
        """
name: digits/test
data: {name: digits, options: {order: pixels}}
model: {cell: quantized_lstm, options: {time_steps: 2}}
train: {epochs: 3, learning_rate: 0.5, progressive_time_steps: [8, 4], gate_schedule: {factor: 0.5, epochs: 2}}
"""
    )
    return file


def test_values_and_defaults(path):
    recipe = read_recipe(path)
    assert (recipe.name, recipe.seed) == ("digits/test", 0)
    assert (recipe.data.options, recipe.data.batch_size) == ({"order": "pixels"}, 128)
    assert (recipe.model.cell, recipe.model.hidden_size, recipe.model.options) == (
        "quantized_lstm", 128, {"time_steps": 2},
    )  # fmt: skip
    train = recipe.train
    assert (train.epochs, train.learning_rate, train.weight_decay) == (3, 0.5, 0.0)
    assert train.progressive_time_steps == [8, 4]
    assert train.gate_schedule == GateSchedule(0.5, 2)


def test_round_trip(path):
    recipe = read_recipe(path)
    assert make_recipe(recipe.to_dict()) == recipe
    assert make_recipe(yaml.safe_load(yaml.safe_dump(recipe.to_dict()))) == recipe


def test_overrides(path):
    recipe = read_recipe(
        path,
        [
            "seed=7", "train.epochs=5", "train.learning_rate=3e-3", "model.options.time_steps=4", "train.teacher=null",
            "train.gate_schedule.factor=0.25", "train.progressive_time_steps=[2]", "data.options={order: rows}",
            "train.epochs=6",
        ],
    )  # fmt: skip
    assert (recipe.seed, recipe.train.epochs, recipe.train.learning_rate) == (7, 6, 0.003)
    assert recipe.model.options == {"time_steps": 4}
    assert recipe.train.gate_schedule == GateSchedule(0.25, 2)
    assert recipe.train.progressive_time_steps == [2]
    assert recipe.data.options == {"order": "rows"}
    assert recipe.train.teacher is None


def refused(words, path, *overrides):
    with pytest.raises(ConfigError, match="(?s)" + ".*".join(re.escape(w) for w in words)) as caught:
        read_recipe(path, list(overrides))
    assert type(caught.value) is ConfigError


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trian.epochs=1", ("'trian'", "did you mean 'train'", "beam_width, data, model, name, seed, task, train")),
        ("train.epoch=1", ("'train.epoch'", "did you mean 'epochs'")),
        ("train.learning_rat=1", ("'train.learning_rat'", "did you mean 'learning_rate'")),
        ("model.hiden_size=1", ("'model.hiden_size'", "did you mean 'hidden_size'")),
        ("data.batchsize=1", ("'data.batchsize'", "did you mean 'batch_size'")),
        ("data.augmentation.nois=1", ("'data.augmentation.nois'", "did you mean 'noise'")),
        ("train.gate_schedule.factr=1", ("'train.gate_schedule.factr'", "did you mean 'factor'", "epochs, factor")),
        ("zzz=1", ("'zzz'; valid: beam_width, data, model, name, seed, task, train",)),
    ],
)
def test_unknown_keys_name_the_nearest_valid_one(path, override, words):
    refused(("unknown recipe key", *words), path, override)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epochs=0", ("train.epochs=0", "1 or more")),
        ("train.epochs=many", ("train.epochs", "int", "many")),
        ("train.epochs=1.5", ("train.epochs", "int", "1.5")),
        ("train.learning_rate=0", ("train.learning_rate=0", "above 0")),
        ("train.learning_rate=-1", ("train.learning_rate=-1", "above 0")),
        ("train.learning_rate=.nan", ("train.learning_rate=nan",)),
        ("train.schedule=cosin", ("train.schedule", "cosine", "cosin")),
        ("train.distillation=1.5", ("train.distillation=1.5", "0 to 1")),
        ("train.distillation=0.5", ("train.distillation", "train.teacher", "model file")),
        ("train.patience=-1", ("train.patience=-1", "0 or more")),
        ("train.compile=sometimes", ("train.compile", "auto", "sometimes")),
        ("data.batch_size=0", ("data.batch_size=0", "1 or more")),
        ("data.shift_augmentation=-1", ("data.shift_augmentation=-1",)),
        ("data.augmentation.noise=2", ("data.augmentation.noise=2", "0 to 1")),
        ("data.augmentation.time_masks=2", ("data.augmentation.time_masks=2", "set both")),
        ("data.augmentation.time_masks=two", ("data.augmentation.time_masks", "int", "two")),
        ("data.augmentation=0.5", ("'data.augmentation'", "section")),
        ("model.pooling=max", ("model.pooling", "last", "max")),
        ("seed=-1", ("seed=-1", "0 or more")),
        ("train=3", ("'train'", "3", "section")),
        ("train.gate_schedule=null", ("'train.gate_schedule'", "section")),
        ("name=null", ("name",)),
    ],
)
def test_bad_values(path, override, words):
    refused(words, path, override)


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ("train.label_smoothing=2.0", "label_smoothing"),
        ("train.temperature=0", "temperature"),
        ("train.warmup=-3", "warmup"),
        ("train.weight_decay=-1", "weight_decay"),
        ("train.gradient_clip=-1", "gradient_clip"),
        ("train.progressive_time_steps=[3]", "progressive_time_steps"),
        ("train.gate_schedule={factor: 0, epochs: 2}", "factor"),
        ("train.gate_schedule={factor: 0.5, epochs: -2}", "epochs"),
        ("train.learning_rate=.inf", "learning_rate"),
    ],
)
def test_numbers_out_of_range(path, override, word):
    """Each of these trains nonsense or fails deep inside torch: the recipe must say so first."""
    refused((word,), path, override)


@pytest.mark.parametrize("override", ["train.epochs", "=3", ""])
def test_an_override_that_is_none(path, override):
    refused((f"--set {override!r}", "key=value", "train.epochs=3"), path, override)


def test_an_override_below_a_value(path):
    refused(("--set 'name.first=x'", "'name' is a value"), path, "name.first=x")


def test_an_override_that_is_not_yaml(path):
    refused(("--set 'train.epochs=['",), path, "train.epochs=[")


def test_files_that_are_no_recipe(tmp_path):
    refused(("'missing.yaml' does not exist", "recipes/"), "missing.yaml")
    for text, words in (
        ("a: [", ("not valid YAML",)),
        ("- 1\n- 2", ("holds no mapping",)),
        ("", ("holds no mapping", "recipes/digits_rows/lstm.yaml")),
        ("data: {name: digits}", ("name",)),
    ):
        file = tmp_path / "x.yaml"
        file.write_text(text)
        refused(words, file)
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    refused(("not valid YAML",), tmp_path / "x.yaml")


def test_seed_in_paths():
    assert with_seed("runs/a/seed{seed}/model.pt", 12) == "runs/a/seed12/model.pt"
    assert with_seed("runs/{other}/model.pt", 12) == "runs/{other}/model.pt"


def test_recipes_made_in_code_are_checked_too():
    with pytest.raises(ConfigError, match="seed=-3"):
        Recipe("a", seed=-3)
