"""Recipes: a YAML file says data, model and training; read, overridden, checked."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jsonargparse

from spikeseq.errors import ConfigError, nearest
from spikeseq.mapping import parse_yaml, read_mapping
from spikeseq.nn.settings import ModelSettings
from spikeseq.train.machines import TrainerSettings
from spikeseq.train.settings import DataSettings, TrainSettings


@dataclass(frozen=True)
class Recipe:
    """One training run.

    name: of the run, "<data>/<model>"; records and tables go by it
    data: which data
    model: which model
    train: how to train
    seed: of weights, order of batches and dropout
    task: a class for each sequence (classify), text (text) or frame (frames), labels in their order (ctc), or a
        sentence for a sentence (translate)
    beam_width: of the beam search at the final test of task: ctc or translate; 0 for the most probable path alone
    trainer: on what: processes, machines, number format
    """

    name: str
    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    seed: int = 0
    task: Literal["classify", "text", "frames", "ctc", "translate"] = "classify"
    beam_width: int = 0
    trainer: TrainerSettings = field(default_factory=TrainerSettings)

    def __post_init__(self) -> None:
        for path, value, low in (
            ("data.batch_size", self.data.batch_size, 1), ("train.epochs", self.train.epochs, 1), ("seed", self.seed, 0),
            ("data.shift_augmentation", self.data.shift_augmentation, 0), ("train.patience", self.train.patience, 0),
            ("beam_width", self.beam_width, 0),
        ):  # fmt: skip
            if value < low:
                raise ConfigError(f"{path}={value}: pass {low} or more")
        self.trainer.check()
        self.train.check()
        networks = {"classify": ("layers", "pictures"), "text": ("text",), "translate": ("translation",)}.get(
            self.task, ("layers",)
        )
        if self.model.network not in networks:
            raise ConfigError(
                f"model.network={self.model.network!r} with task: {self.task}; set model.network: {' or '.join(networks)}"
            )
        if (self.model.output == "frames") != (self.task in ("frames", "ctc")):
            wanted = "frames" if self.task in ("frames", "ctc") else "sequence"
            raise ConfigError(f"model.output={self.model.output!r} with task: {self.task}; set model.output: {wanted}")
        if self.train.word_vectors and self.model.network != "text":
            raise ConfigError(
                f"train.word_vectors={self.train.word_vectors!r} with model.network={self.model.network!r}: only "
                "network: text has an embedding; leave it out"
            )
        if self.beam_width and self.task not in ("ctc", "translate"):
            raise ConfigError(
                f"beam_width={self.beam_width} with task: {self.task}: only ctc and translate are decoded; set it to 0"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested dicts, as in the YAML file."""
        return dataclasses.asdict(self)


def read_recipe(path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe and apply overrides such as ``train.epochs=3`` (values are YAML).

    Raises ConfigError for a missing or broken file, an unknown key (naming the nearest valid one) or a bad value.
    """
    content = read_mapping(path, "recipe", "recipes/digits_rows/lstm.yaml")
    for override in overrides or []:
        _override(content, override)
    return make_recipe(content)


def make_recipe(content: dict[str, Any]) -> Recipe:
    """Check plain nested dicts and build the recipe. Raises ConfigError as :func:`read_recipe`."""
    _check_keys(content, Recipe, "")
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Recipe, "recipe")
    try:
        return parser.instantiate(parser.parse_object({"recipe": content})).recipe
    except (jsonargparse.ArgumentError, TypeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"recipe: {error}") from error


def _override(content: dict[str, Any], override: str) -> None:
    """Set one ``a.b=value`` in nested dicts."""
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"--set {override!r}: write key=value, for example train.epochs=3")
    *folders, last = key.split(".")
    for folder in folders:
        content = content.setdefault(folder, {})
        if not isinstance(content, dict):
            raise ConfigError(f"--set {override!r}: {folder!r} is a value, not a section")
    content[last] = parse_yaml(text, f"--set {override!r}: the value is not valid YAML", "put quotes round text")


def _check_keys(content: Any, settings: Any, path: str) -> None:
    """Raise ConfigError for a key that no field has, with the nearest valid one."""
    if not isinstance(content, dict):
        raise ConfigError(f"recipe key {path.rstrip('.')!r} holds {content!r}: it is a section, write keys below it")
    fields = {f.name: f for f in dataclasses.fields(settings)}
    for key, value in content.items():
        if key not in fields:
            raise ConfigError(f"unknown recipe key {path + str(key)!r}; {nearest(str(key), fields)}")
        factory = fields[key].default_factory
        if dataclasses.is_dataclass(factory):
            _check_keys(value, factory, f"{path}{key}.")
