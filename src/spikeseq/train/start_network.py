"""How a network for texts, pictures or translation starts: fresh, or with the weights of another; thresholds from the data."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikeseq.conversion import init_thresholds
from spikeseq.data import Data, TextData
from spikeseq.data.text.glove import read_glove
from spikeseq.errors import CheckpointError
from spikeseq.nn.checkpoint import load_model, load_weights
from spikeseq.nn.graded_lif import GradedLIF
from spikeseq.nn.neurons import Neurons
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.nn.text import TextClassifier
from spikeseq.nn.translation import Translator
from spikeseq.train.inputs import calibration_batches
from spikeseq.train.recipe import Recipe


def with_seed(path: str, seed: int) -> str:
    """Fill in ``{seed}`` in the path of another run's model, so that one recipe serves every seed."""
    return path.replace("{seed}", str(seed))


def start_network(
    model: TextClassifier | PictureClassifier | Translator, recipe: Recipe, data: Data
) -> TextClassifier | PictureClassifier | Translator:
    """Take word vectors and the weights of ``train.start_from``, where they are given; then set the first thresholds.

    A network of the same sizes with other neurons (such as ReLU) gives its weights; thresholds and leaks stay fresh. Raises
    CheckpointError for a network of other sizes, ConfigError for thresholds where there are no neurons, DataError for a file
    that holds no word vectors.
    """
    if recipe.train.word_vectors:
        assert isinstance(model, TextClassifier)
        assert isinstance(data, TextData)
        embed(model, data, recipe.train.word_vectors)
    if recipe.train.start_from:
        path = with_seed(recipe.train.start_from, recipe.seed)
        source = load_model(path)[0]
        if source.state_dict().keys() == model.state_dict().keys():
            load_weights(model, source.state_dict(), path)
        else:
            transplant(model, source, path)
    first = recipe.train.first_thresholds
    if first.percentile:
        init_thresholds(model, calibration_batches(data), first.percentile, first.scale)
    return model


def embed(model: TextClassifier, data: TextData, path: str) -> float:
    """Set the embedding of every word that a GloVe file has; others keep theirs. Returns the share of words it has."""
    weight = model.embedding.weight
    vectors, share = read_glove(path, data.tokenizer.words, weight.shape[1])
    with torch.no_grad():
        weight.copy_(torch.where((vectors != 0).any(1, keepdim=True), vectors, weight))
    return share


def transplant(model: nn.Module, source: nn.Module, path: str) -> None:
    """Copy all parameters but those of neurons, in their order.

    Raises CheckpointError where they are of other shapes, or of another unit.
    """
    one, other = (any(isinstance(m, GradedLIF) for m in network.modules()) for network in (model, source))
    if one != other:
        raise CheckpointError(
            f"checkpoint {path!r}: weights behind graded spikes, k / T of a range, have another unit than those behind values "
            "or binary spikes; start from a network of the same cell, or from fresh weights with that one as train.teacher"
        )
    own, given = _weights(model), _weights(source)
    if [p.shape for p in own] != [p.shape for p in given]:
        raise CheckpointError(
            f"checkpoint {path!r}: its weights have other shapes than this recipe's; start from a network of the same sizes"
        )
    with torch.no_grad():
        for mine, theirs in zip(own, given, strict=True):
            mine.copy_(theirs)


def _weights(model: nn.Module) -> list[Tensor]:
    """Parameters of all layers but neurons."""
    neurons = {p for m in model.modules() if isinstance(m, Neurons) for p in m.parameters()}
    return [p for p in model.parameters() if p not in neurons]
