"""What a recipe says about data: the data set, the task on it, and the batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from spikeseq import data as data_sets
from spikeseq.data import Data, SequenceData, SpeechData, TextData, TranslationData
from spikeseq.data.speech.augment import augmenter, masker
from spikeseq.data.speech.augmentation import Augmentation
from spikeseq.data.text.pairs import PairBatch
from spikeseq.errors import ConfigError
from spikeseq.shapes import spaced
from spikeseq.train.batches import eval_batches, image_shifter, train_batches
from spikeseq.train.buckets import eval_pairs, eval_texts, eval_utterances, train_pairs, train_texts, train_utterances
from spikeseq.train.recipe import Recipe
from spikeseq.train.speech_tasks import Ctc, Frames
from spikeseq.train.tasks import Classify, ClassifyTexts, Task
from spikeseq.train.translate_task import Translate

CALIBRATION_ROWS = 2048  # training sequences that a conversion looks at
CALIBRATION_UTTERANCES, CALIBRATION_FRAMES = 256, 400
CALIBRATION_TEXTS = 256


def load_data(recipe: Recipe) -> Data:
    """Load the recipe's data set. Raises ConfigError where it is not of the recipe's task."""
    name, options = recipe.data.name, recipe.data.options
    if recipe.task == "classify":
        return data_sets.load(name, **options)
    if recipe.task == "translate":
        return data_sets.load_pairs(name, **options)
    return data_sets.load_text(name, **options) if recipe.task == "text" else data_sets.load_speech(name, **options)


def task_of(recipe: Recipe, data: Data, final: bool = False) -> Task:
    """Return the recipe's task; ``final``: as it is tested in the end, with the beam search."""
    if isinstance(data, SequenceData):
        return Classify()
    if isinstance(data, TextData):
        return ClassifyTexts()
    if isinstance(data, TranslationData):
        return Translate(recipe.beam_width if final else 0)
    return Frames(data) if recipe.task == "frames" else Ctc(data, recipe.beam_width if final else 0)


def loaders(recipe: Recipe, data: Data) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Training and validation batches, shared by all ranks. Raises ConfigError for an augmentation unfit for this data."""
    settings, size = recipe.data, recipe.data.batch_size
    if isinstance(data, TextData | TranslationData):
        if settings.shift_augmentation or settings.augmentation != Augmentation():
            raise ConfigError("data.shift_augmentation and data.augmentation are not for texts; leave them out")
        if isinstance(data, TranslationData):
            return train_pairs(data.train, size, recipe.seed), eval_pairs(data.valid, shared=True)
        return train_texts(data.train, size, recipe.seed), eval_texts(data.valid, shared=True)
    if settings.shift_augmentation and (settings.augmentation != Augmentation() or recipe.task != "classify"):
        raise ConfigError("data.shift_augmentation is for images and data.augmentation for speech; leave one out")
    if isinstance(data, SpeechData):
        mask = masker(settings.augmentation, data)
        return train_utterances(data.train, size, recipe.seed, mask), eval_utterances(data.valid, shared=True)
    augment = image_shifter(data.train, settings.shift_augmentation, data.element_shape) or augmenter(
        settings.augmentation, data
    )
    return train_batches(data.train, size, recipe.seed, augment), eval_batches(data.valid, shared=True)


def calibration_rows(data: SequenceData | SpeechData) -> tuple[Tensor, ...]:
    """Training inputs for a conversion, evenly over the split, in batches, without padding and without labels."""
    if isinstance(data, SpeechData):
        return data.train.cropped(CALIBRATION_UTTERANCES, CALIBRATION_FRAMES).split(64)
    return data.train.x[spaced(len(data.train.x), CALIBRATION_ROWS)].split(256)


def calibration_batches(data: Data) -> list[Mapping[str, Any]]:
    """The same as arguments of the model, also for texts."""
    if isinstance(data, TextData):
        rows = spaced(len(data.train), CALIBRATION_TEXTS).split(64)
        return [{"tokens": b.x, "lengths": b.lengths} for b in map(data.train.batch, rows)]
    if isinstance(data, TranslationData):
        chosen = spaced(len(data.train), CALIBRATION_TEXTS).split(64)
        return [pair_arguments(b) for b in map(data.train.batch, chosen)]
    return [{"x": x} for x in calibration_rows(data)]


def pair_arguments(batch: PairBatch) -> dict[str, Any]:
    """Pairs as arguments of a Translator."""
    return {"source": batch.source, "target": batch.target[:, :-1], "lengths": batch.source_lengths}


def largest_inputs(data: SequenceData | SpeechData) -> Tensor:
    """Return the largest |x| of each input in the training data, or in the part of it that calibrates, ``[I]``."""
    rows = [data.train.x] if isinstance(data, SequenceData) else calibration_rows(data)
    return torch.stack([part.abs().flatten(0, -2).amax(0) for part in rows]).amax(0)


def front_end(data: Data) -> dict[str, Any]:
    """What a model file keeps of the data for new inputs: classes or languages, tokenizer, how features in dB were scaled."""
    notes: dict[str, Any] = {}
    if isinstance(data, TranslationData):
        notes["languages"] = list(data.languages)
    else:
        notes["classes"] = list(data.classes)
    if isinstance(data, TextData | TranslationData):
        notes["tokenizer"] = data.tokenizer.to_json()
    if isinstance(data, SequenceData) and data.decibels is not None:
        mean, std, floor = data.decibels
        notes["decibels"] = {"mean": mean.tolist(), "std": std.tolist(), "floor": floor}
    return notes
