"""Models as plain functions: of one element with its state, and of whole sequences, batch first.

Float ``nn.LSTM`` and ``nn.GRU`` run as this library's LSTM and GRU, which are equal.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.conv import SpikingConv1d
from spikeseq.nn.frames import FrameClassifier
from spikeseq.nn.lstm import GRU, LSTM
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.sequential import Sequential
from spikeseq.nn.text import TextClassifier

KNOWN = (
    "SequenceClassifier, FrameClassifier, TextClassifier, PictureClassifier, spikeseq.nn.Sequential, a recurrent layer of "
    "spikeseq.nn, nn.LSTM or nn.GRU"
)


@dataclass(frozen=True)
class Functions:
    """What an exporter records."""

    step: Callable[[Tensor, Any], tuple[Tensor, Any]]  # element [B, ..], state or None -> output [B, ..], state
    whole: Callable[[Tensor], Tensor]  # [B, L, ..] -> the model's output, batch first
    element: tuple[int, ...]  # shape of an element
    tokens: int | None = None  # elements are whole numbers below this


def functions(model: nn.Module, element_shape: Sequence[int] | None = None) -> Functions:
    """Return a model as functions, in evaluation mode; the model itself stays as it is.

    element_shape  of a Sequential whose first layer does not tell (convolutions); else None
    Raises ConfigError for a model of another kind, or one that cannot run element by element.
    """
    own = _float_layers(copy.deepcopy(model).cpu()).eval()
    if isinstance(own, Recurrent):
        return Functions(_recurrent(own), lambda x: _batch_first(own, x), (own.input_size,))
    if isinstance(own, SequenceClassifier | FrameClassifier):
        features: Any = own.rnn.input_size
        pooled = isinstance(own, SequenceClassifier) and own.pooling == "mean"
        width = own.readout.in_features
        step = _classifier(own.rnn, own.readout, width if pooled else 0)
        return Functions(step, _frames(own) if isinstance(own, FrameClassifier) else own, (features,))
    if isinstance(own, TextClassifier):
        size = own.embedding.num_embeddings

        def text(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
            found, state = own.body(own.embedding(tokens).unsqueeze(0), state)
            return own.head(found), state

        return Functions(text, lambda x: own.head(own.body(own.embedding(x.t()))[0]), (), size)
    if isinstance(own, PictureClassifier):
        return Functions(_sequential(own.body), lambda x: _batch_first(own.body, x), own.element_shape)
    if isinstance(own, Sequential):
        shape = _element(own, element_shape)
        return Functions(_sequential(own), lambda x: _batch_first(own, x), shape)
    raise ConfigError(f"model is a {type(model).__name__}: pass {KNOWN}")


def _recurrent(layer: Recurrent) -> Any:
    def step(x: Tensor, state: Any) -> tuple[Tensor, Any]:
        _check_causal(layer)
        output, state = layer(x.unsqueeze(int(layer.batch_first)), state)
        return output.squeeze(int(layer.batch_first)), state

    return step


def _classifier(rnn: Any, readout: nn.Module, pooled: int) -> Any:
    """``pooled`` H: the readout of the mean so far, with its sum and its number of elements as state; 0: of the element."""
    advance = _recurrent(rnn)

    def step(x: Tensor, state: Any) -> tuple[Tensor, Any]:
        inner, total, elements = state if pooled and state is not None else (state, None, None)
        output, inner = advance(x, inner)
        if not pooled:
            return readout(output), inner
        total = x.new_zeros(x.shape[0], pooled) if total is None else total
        elements = x.new_zeros(x.shape[0]) if elements is None else elements
        total, elements = total + output, elements + 1
        return readout(total / elements.unsqueeze(1)), (inner, total, elements)

    return step


def _sequential(body: Sequential) -> Any:
    def step(x: Tensor, state: Any) -> tuple[Tensor, Any]:
        for name, module in body.named_modules():
            if isinstance(module, Recurrent):
                _check_causal(module)
            if isinstance(module, SpikingConv1d) and not module.causal:
                raise ConfigError(
                    f"module {name!r} (SpikingConv1d) has causal=False: it cannot run element by element; whole"
                )
        output, state = body(x.unsqueeze(int(body.batch_first)), state)
        return output if body.collapses else output.squeeze(int(body.batch_first)), state

    return step


def _check_causal(layer: Recurrent) -> None:
    if layer.bidirectional:
        raise ConfigError("bidirectional=True: a backward direction cannot run element by element; export it whole")


def _batch_first(model: Any, x: Tensor) -> Tensor:
    if model.batch_first:
        return model(x)[0]
    output = model(x.transpose(0, 1))[0]
    return output if getattr(model, "collapses", False) else output.transpose(0, 1)


def _frames(model: FrameClassifier) -> Callable[[Tensor], Tensor]:
    return model if model.batch_first else lambda x: model(x.transpose(0, 1)).transpose(0, 1)


def _element(model: Sequential, shape: Sequence[int] | None) -> tuple[int, ...]:
    """Shape of an element of a Sequential."""
    if shape is not None:
        return tuple(shape)
    for layer in model:
        if isinstance(layer, nn.Linear):
            return (layer.in_features,)
        if isinstance(layer, Recurrent):
            return (layer.input_size,)
        if isinstance(layer, SpikingConv1d):
            return (layer.conv.in_features // layer.kernel_size,)
        if next(layer.parameters(), None) is not None:
            break
    raise ConfigError("element_shape is missing: the first layer does not tell the shape of an element; pass it")


def _float_layers(model: Any) -> Any:
    """Put LSTM and GRU in the place of ``nn.LSTM`` and ``nn.GRU``."""
    for name, child in list(model.named_children()):
        setattr(model, name, _float_layers(child))
    if type(model) not in (nn.LSTM, nn.GRU):
        return model
    if model.proj_size:
        raise ConfigError(f"proj_size={model.proj_size}: a projected nn.LSTM cannot be exported; train one without")
    kind: Any = LSTM if type(model) is nn.LSTM else GRU
    made = kind(
        model.input_size, model.hidden_size, model.num_layers, bias=model.bias, batch_first=model.batch_first,
        bidirectional=model.bidirectional, device="meta",
    )  # fmt: skip
    made.load_state_dict(model.state_dict(), assign=True)
    return made


def example(functions: Functions, *lead: int) -> Tensor:
    """Zeros of elements with leading sizes, of the right type."""
    if functions.tokens is not None:
        return torch.zeros(*lead, dtype=torch.int64)
    return torch.zeros(*lead, *functions.element)
