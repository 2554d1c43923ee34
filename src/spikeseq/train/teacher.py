"""The teacher of a distillation: another run's model, checked against the data that both see."""

from __future__ import annotations

from spikeseq.data import Data
from spikeseq.errors import ConfigError
from spikeseq.nn.checkpoint import load_model, read_content
from spikeseq.nn.settings import ModelSettings, Network
from spikeseq.train.inputs import front_end
from spikeseq.train.recipe import Recipe
from spikeseq.train.start import sizes_of
from spikeseq.train.start_network import with_seed

_SEES = {"layers": "vectors", "pictures": "vectors", "text": "tokens", "translation": "pairs of sentences"}


def load_teacher(recipe: Recipe, data: Data) -> Network | None:
    """The model of ``train.teacher``, or None.

    Raises CheckpointError for a file that cannot be read, ConfigError, naming train.teacher, for a model of other inputs,
    other outputs, other sizes, other classes or another tokenizer than the recipe's data have.
    """
    if not recipe.train.teacher:
        return None
    path = with_seed(recipe.train.teacher, recipe.seed)
    model, settings, notes = load_model(path)
    inputs, classes, *shape = read_content(path)["sizes"]
    own = sizes_of(data)
    pairs = [
        ("takes", *(_SEES[s.network] for s in (settings, recipe.model))),
        ("gives an output for each", *(_gives(s) for s in (settings, recipe.model))),
        ("has as input size", inputs, own.input_size),
        ("has as number of classes", classes, own.classes),
    ]
    if settings.network == "pictures":
        pairs.append(("has as shape of a picture", tuple(shape[0]), own.element_shape))
    for what, teachers, wanted in pairs:
        if teachers != wanted:
            raise _unfit(path, f"{what}: {teachers}; this recipe's data and model: {wanted}")
    for name, ours in front_end(data).items():
        if name != "decibels" and notes.get(name, ours) != ours:
            raise _unfit(path, f"was trained with other {name}")
    return model


def _gives(settings: ModelSettings) -> str:
    return "token" if settings.network == "translation" else settings.output.removesuffix("s")


def _unfit(path: str, why: str) -> ConfigError:
    return ConfigError(
        f"train.teacher={path!r} {why}. Name a model that was trained on the same data for the same task"
    )
