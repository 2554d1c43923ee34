"""Sections ``data`` and ``train`` of a recipe: every key is a typed field with its meaning beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from spikeseq.data.speech.augmentation import Augmentation
from spikeseq.errors import ConfigError
from spikeseq.shapes import check_time_steps


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

    def check(self) -> None:
        """Raise ConfigError for a value out of range, or two that exclude each other; names the key and the remedy."""
        gates, first = self.gate_schedule, self.first_thresholds
        infinite = float("inf")
        for path, number, good, remedy in (
            ("learning_rate", self.learning_rate, 0 < self.learning_rate < infinite, "pass a number above 0"),
            ("label_smoothing", self.label_smoothing, 0 <= self.label_smoothing < 1, "pass a share from 0, below 1"),
            ("temperature", self.temperature, 0 < self.temperature < infinite, "pass a number above 0"),
            ("warmup", self.warmup, 0 <= self.warmup <= 1, "pass a share of the steps, 0 to 1"),
            ("weight_decay", self.weight_decay, 0 <= self.weight_decay < infinite, "pass 0 or more"),
            ("gradient_clip", self.gradient_clip, 0 <= self.gradient_clip < infinite, "pass 0 (none) or more"),
            ("select_from", self.select_from, 0 <= self.select_from < 1, "pass a share from 0, below 1"),
            ("weight_average", self.weight_average, 0 <= self.weight_average < 1, "pass a decay such as 0.99, or 0 (none)"),
            ("target_spike_rate", self.target_spike_rate, 0 <= self.target_spike_rate <= 1, "pass a rate up to 1, or 0"),
            ("first_thresholds.percentile", first.percentile, 0 <= first.percentile <= 100, "pass 0 (none) to 100"),
            ("first_thresholds.scale", first.scale, 0 < first.scale < infinite, "pass a number above 0"),
            ("gate_schedule.factor", gates.factor, 0 < gates.factor < infinite, "pass a number above 0"),
            ("gate_schedule.epochs", gates.epochs, gates.epochs >= 0, "pass 0 (none) or more"),
        ):  # fmt: skip
            if not good:
                raise ConfigError(f"train.{path}={number}: {remedy}")
        for steps in self.progressive_time_steps:
            try:
                check_time_steps(steps)
            except ConfigError as error:
                raise ConfigError(f"train.progressive_time_steps: {error}") from error
        if any(length < 1 for length in self.length_curriculum):
            raise ConfigError(f"train.length_curriculum={self.length_curriculum}: pass lengths of 1 element or more")
        if not 0 <= self.distillation <= 1:
            raise ConfigError(f"train.distillation={self.distillation}: pass a share from 0 to 1")
        if self.target_spike_rate and self.spike_penalty:
            raise ConfigError(
                "train.target_spike_rate and train.spike_penalty are both set: the first finds the second; leave one out"
            )
        if self.distillation and not self.teacher:
            raise ConfigError("train.distillation is set, train.teacher is not: name the teacher's model file")
