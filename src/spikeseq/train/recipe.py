"""Recipes: a YAML file says data, model and training; every key is a typed field with its meaning beside it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jsonargparse
import yaml

from spikeseq.data.speech.augmentation import Augmentation
from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.settings import ModelSettings
from spikeseq.shapes import check_time_steps
from spikeseq.train.machines import TrainerSettings


@dataclass(frozen=True)
class DataSettings:
    """Which data.

    name: data set: digits, mnist, uci_har, speech_commands, nmnist, dvs_gesture, imdb, multi30k, timit or
        librispeech
    options: arguments of that data set's loader (order, side, variant, ..)
    batch_size: sequences in a training batch
    shift_augmentation: move each training image (by rows), or all pictures of a sequence, by up to this many pixels
    augmentation: time shift and noise (speech_commands), SpecAugment (all speech)
    """

    name: str = "digits"
    options: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 128
    shift_augmentation: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class GateSchedule:
    """Sharpen the gates: all thresholds are multiplied step by step from 1 to ``factor`` over the first ``epochs``.

    factor: what the thresholds are multiplied by in the end; below 1 pushes gates towards 0 and 1
    epochs: over how many epochs
    """

    factor: float = 1.0
    epochs: int = 0


@dataclass(frozen=True)
class FirstThresholds:
    """Set the first thresholds of LIF and IF neurons from the currents that training data gives: conversion/thresholds.py.

    percentile: share of the currents below the threshold, in per cent (published: 99.7); 0 leaves thresholds as they are
    scale: factor on it; below 1 more spikes (published: 0.3)
    """

    percentile: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    epochs: passes over the training data
    learning_rate: peak learning rate of AdamW
    weight_decay: of weight matrices only
    schedule: "cosine" to zero or "constant"
    warmup: share of all steps over which the learning rate rises from 0
    gradient_clip: largest norm of the gradient; 0 for none
    label_smoothing: of the cross entropy
    weight_average: decay per step of a moving average of the weights, which is then what is validated and kept; 0 for none
    select_from: share of the epochs after which validation may choose one; 0 for all, near 1 for the last
    patience: stop when validation accuracy has not risen for this many epochs; 0 for never
    forget_bias: if set, U is made orthogonal and the forget gate's bias starts at this value
    start_from: model file to start from, converted first where it is of another kind; {seed} stands for the seed
    teacher: model file of a teacher for knowledge distillation; {seed} stands for the seed
    distillation: weight of the teacher's term (0 to 1) against the labels
    temperature: softening of the teacher's and student's logits
    progressive_time_steps: T of equal shares of the epochs before the last share, which runs at the model's own T
    length_curriculum: most elements of a training sequence, in equal shares of the epochs; a random piece of a longer one
    spike_penalty: weight of the mean |h| in the loss
    target_spike_rate: unit spikes for each unit and time step to train to (of multi-bit outputs: share that is not 0);
        the penalty follows; 0 for none
    packet_penalty: weight of mean(max(|spikes| - 1, 0)): teaches a grid to get by with unit spikes
    gate_schedule: sharpen the gates while training
    first_thresholds: of LIF and IF neurons, from the currents that they get
    word_vectors: GloVe file (text) whose vectors the embedding of a network for texts starts with
    compile: compile steps: auto (by size), always (in training), never
    """

    epochs: int = 10
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: float = 0.0
    gradient_clip: float = 1.0
    label_smoothing: float = 0.0
    weight_average: float = 0.0
    select_from: float = 0.0
    patience: int = 0
    forget_bias: float | None = None
    start_from: str | None = None
    teacher: str | None = None
    distillation: float = 0.0
    temperature: float = 2.0
    progressive_time_steps: list[int] = field(default_factory=list)
    length_curriculum: list[int] = field(default_factory=list)
    spike_penalty: float = 0.0
    target_spike_rate: float = 0.0
    packet_penalty: float = 0.0
    gate_schedule: GateSchedule = field(default_factory=GateSchedule)
    first_thresholds: FirstThresholds = field(default_factory=FirstThresholds)
    word_vectors: str | None = None
    compile: Literal["auto", "always", "never"] = "auto"

    @property
    def compile_evaluation(self) -> Literal["auto", "never"]:
        """How evaluation runs: "always" is for training, whose batches have one size; others would be compiled again."""
        return "auto" if self.compile == "auto" else "never"


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
        t, gates = self.train, self.train.gate_schedule
        for path, number, good, remedy in (
            ("train.learning_rate", t.learning_rate, 0 < t.learning_rate < float("inf"), "pass a number above 0"),
            ("train.label_smoothing", t.label_smoothing, 0 <= t.label_smoothing < 1, "pass a share from 0, below 1"),
            ("train.temperature", t.temperature, 0 < t.temperature < float("inf"), "pass a number above 0"),
            ("train.warmup", t.warmup, 0 <= t.warmup <= 1, "pass a share of the steps, 0 to 1"),
            ("train.weight_decay", t.weight_decay, 0 <= t.weight_decay < float("inf"), "pass 0 or more"),
            ("train.gradient_clip", t.gradient_clip, 0 <= t.gradient_clip < float("inf"), "pass 0 (none) or more"),
            ("train.select_from", t.select_from, 0 <= t.select_from < 1, "pass a share from 0, below 1"),
            (
                "train.weight_average",
                t.weight_average,
                0 <= t.weight_average < 1,
                "pass a decay such as 0.99, or 0 (none)",
            ),
            (
                "train.target_spike_rate",
                t.target_spike_rate,
                0 <= t.target_spike_rate <= 1,
                "pass a rate up to 1, or 0 (none)",
            ),
            (
                "train.first_thresholds.percentile",
                t.first_thresholds.percentile,
                0 <= t.first_thresholds.percentile <= 100,
                "pass 0 (none) to 100",
            ),
            (
                "train.first_thresholds.scale",
                t.first_thresholds.scale,
                0 < t.first_thresholds.scale < float("inf"),
                "pass a number above 0",
            ),
            ("train.gate_schedule.factor", gates.factor, 0 < gates.factor < float("inf"), "pass a number above 0"),
            ("train.gate_schedule.epochs", gates.epochs, gates.epochs >= 0, "pass 0 (none) or more"),
        ):
            if not good:
                raise ConfigError(f"{path}={number}: {remedy}")
        for steps in t.progressive_time_steps:
            try:
                check_time_steps(steps)
            except ConfigError as error:
                raise ConfigError(f"train.progressive_time_steps: {error}") from error
        if any(length < 1 for length in t.length_curriculum):
            raise ConfigError(f"train.length_curriculum={t.length_curriculum}: pass lengths of 1 element or more")
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
        if t.word_vectors and self.model.network != "text":
            raise ConfigError(
                f"train.word_vectors={t.word_vectors!r} with model.network={self.model.network!r}: only network: text has an "
                "embedding; leave it out"
            )
        if self.beam_width and self.task not in ("ctc", "translate"):
            raise ConfigError(
                f"beam_width={self.beam_width} with task: {self.task}: only ctc and translate are decoded; set it to 0"
            )
        if not 0 <= self.train.distillation <= 1:
            raise ConfigError(f"train.distillation={self.train.distillation}: pass a share from 0 to 1")
        if t.target_spike_rate and t.spike_penalty:
            raise ConfigError(
                "train.target_spike_rate and train.spike_penalty are both set: the first finds the second; leave one out"
            )
        if self.train.distillation and not self.train.teacher:
            raise ConfigError("train.distillation is set, train.teacher is not: name the teacher's model file")

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested dicts, as in the YAML file."""
        return dataclasses.asdict(self)


def read_recipe(path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe and apply overrides such as ``train.epochs=3`` (values are YAML).

    Raises ConfigError for a missing or broken file, an unknown key (naming the nearest valid one) or a bad value.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"recipe {str(path)!r} does not exist; see the folder recipes/") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"recipe {str(path)!r} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"recipe {str(path)!r} holds no mapping; see recipes/digits_rows/lstm.yaml")
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
    try:
        content[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"--set {override!r}: the value is not valid YAML ({error}); put quotes round text"
        ) from error


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
