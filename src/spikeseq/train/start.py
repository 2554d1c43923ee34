"""The model that a training starts from: fresh, loaded, or converted from another run's."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from spikeseq.conversion import ConvertConfig, convert
from spikeseq.conversion.rules import fit_input
from spikeseq.data import Data, SequenceData, TextData, TranslationData
from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.checkpoint import Sizes, load_model, load_weights
from spikeseq.nn.encoding import InputEncoding
from spikeseq.nn.kinds import QuantizedKind
from spikeseq.nn.level_kinds import LevelGatedKind
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.settings import ModelSettings, Network
from spikeseq.nn.text import TextClassifier
from spikeseq.nn.translation import Translator
from spikeseq.train.inputs import calibration_rows, largest_inputs
from spikeseq.train.recipe import Recipe
from spikeseq.train.start_network import start_network, with_seed


def sizes_of(data: Data) -> Sizes:
    """What a model must fit."""
    return Sizes(data.input_size, data.num_classes, data.element_shape if isinstance(data, SequenceData) else ())


def start_model(recipe: Recipe, data: Data) -> Network:
    """Fresh weights, or those of ``train.start_from``: as they are where they fit, else converted first.

    A conversion, the steps of an encoded input and first thresholds take their ranges from the training data, without the
    labels. A network for texts, pictures or translation takes the weights of one with other neurons (start_network.py).
    """
    model = recipe.model.build(*sizes_of(data))
    if recipe.train.forget_bias is not None:
        _orthogonal(_gated(model), recipe.train.forget_bias)
    if isinstance(model, TextClassifier | PictureClassifier | Translator):
        return start_network(model, recipe, data)
    if recipe.train.first_thresholds.percentile:
        raise ConfigError(
            f"train.first_thresholds is set, model.network={recipe.model.network!r} has no LIF or IF neurons; leave it out"
        )
    assert not isinstance(data, TextData | TranslationData)  # a recipe's task and network agree
    if isinstance(model.rnn, Recurrent):
        fit_input(model.rnn, largest_inputs(data))
    if recipe.train.start_from:
        path = with_seed(recipe.train.start_from, recipe.seed)
        source: Any = load_model(path)[0]
        if model.state_dict().keys() != source.state_dict().keys() or _input(model) != _input(source):
            config = conversion_to(recipe.model)
            source = convert(source, config, calibration_rows(data)).model
        load_weights(model, source.state_dict(), path)
    return model


def _input(model: Any) -> InputEncoding:
    """How a model's recurrent layer takes its input."""
    kind = model.rnn.kind if isinstance(model.rnn, Recurrent) else None
    return kind.encoding if isinstance(kind, QuantizedKind | LevelGatedKind) else InputEncoding()


def conversion_to(target: ModelSettings) -> ConvertConfig:
    """The conversion whose result is a model with these settings. Raises ConfigError for a float target."""
    stages = {
        "hard_lstm": "hard", "quantized_lstm": "quantized", "spiking_lstm": "spiking", "stream_lstm": "spiking",
        "hard_gated_current": "hard", "spiking_gated_current": "spiking",
    }  # fmt: skip
    if target.cell not in stages:
        raise ConfigError(
            f"train.start_from: a model cannot be converted to cell={target.cell!r}; {nearest('', stages)}"
        )
    options = {"leak": 1.0, **target.options}
    as_gru = {"variant": "v2", "candidate": "relu", "batch_norm": True, **options}
    if "gated" in target.cell and (as_gru["variant"], as_gru["candidate"], as_gru["batch_norm"]) != (
        "v2",
        "signed",
        False,
    ):
        raise ConfigError(
            "train.start_from: a GRU becomes a gated current with signed candidate and without batch norm; set "
            "model.options.candidate: signed and batch_norm: false"
        )
    streams = target.cell == "stream_lstm"
    return ConvertConfig(
        time_steps=options.get("time_steps", 2),
        scheme="streams" if streams else "grid",
        neuron="lif" if streams else "if",
        leak=options["leak"],
        shift="optimal" if options.get("shift", 0.5) else "none",
        max_packet=options.get("max_packet"),
        stage=stages[target.cell],  # type: ignore[arg-type]
        input_encoding=options.get("input_encoding", "direct"),
        input_levels=options.get("input_levels"),
    )


def _gated(model: nn.Module) -> nn.Module | None:
    """The recurrent layer of a model, of this library or torch's."""
    return next((m for m in model.modules() if isinstance(m, Recurrent | nn.RNNBase)), None)


def _orthogonal(rnn: nn.Module | None, forget_bias: float) -> None:
    """Orthogonal recurrent weights gate by gate; input weights uniform as they are; forget bias set, others 0."""
    if rnn is None:
        raise ConfigError(f"train.forget_bias={forget_bias}: the model has no recurrent layer; leave it out")
    hidden: Any = rnn.hidden_size
    keeps = rnn.kind.keeps if isinstance(rnn, Recurrent) else 1  # as of nn.LSTM and nn.GRU
    if isinstance(rnn, Recurrent) and rnn.kind.gates == 1:
        raise ConfigError(f"train.forget_bias={forget_bias}: {type(rnn).__name__} has no gate; leave it out")
    with torch.no_grad():
        for name, value in rnn.named_parameters():
            if name.startswith("weight_hh"):
                for block in value.chunk(value.shape[0] // value.shape[1]):
                    nn.init.orthogonal_(block)
            elif name.startswith("bias"):
                value.zero_()
                if name.startswith("bias_ih"):
                    value.view(-1, hidden)[keeps] = forget_bias
