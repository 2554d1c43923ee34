"""From a model of ``spikeseq.nn`` to a program."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.kinds import GridKind
from spikeseq.nn.lstm import QuantizedLSTM, SpikingLSTM
from spikeseq.nn.spiking import as_spiking
from spikeseq.runtime.arrays import MOST_PACKET, Array, LayerArrays, ReadoutArrays, Settings, check_settings
from spikeseq.runtime.int8 import int8_layer, int8_readout
from spikeseq.runtime.program import Program


def compile(model: nn.Module, weights: Literal["float32", "int8"] = "float32") -> Program:
    """Return the model, in evaluation mode and float32, for the event-driven runtime.

    model    SpikingLSTM, QuantizedLSTM (unrolled over T), or a SequenceClassifier of one of them; ``input_encoding="direct"``,
             one direction. Numbers outside float32 are refused, others are rounded.
    weights  "float32", or "int8": rounded to 8 bits with a power-of-two scale for each channel, sums of 32 bits
    Raises ConfigError naming the module that cannot run.
    """
    if isinstance(model, SequenceClassifier):
        recurrent, prefix = model.rnn, "rnn."
    elif isinstance(model, nn.Module):
        recurrent, prefix = model, ""
    else:
        raise ConfigError(f"model is {type(model).__name__}: pass a module")
    name = f"{prefix.rstrip('.') or 'model'} ({type(recurrent).__name__})"
    if not isinstance(recurrent, SpikingLSTM | QuantizedLSTM):
        raise ConfigError(
            f"{name} cannot run event-driven: only SpikingLSTM, QuantizedLSTM and a SequenceClassifier of them can"
        )
    layer: SpikingLSTM = as_spiking(recurrent)
    kind = layer.kind
    assert isinstance(kind, GridKind)
    if layer.bidirectional:
        raise ConfigError(f"{name} has bidirectional=True: a backward direction cannot run element by element")
    if kind.encoding.code != "direct":
        raise ConfigError(f"{name} has input_encoding={kind.encoding.code!r}: only 'direct' can run event-driven")
    settings = Settings(kind.time_steps, min(kind.max_packet or 0, MOST_PACKET), kind.shift, prefix, weights)
    check_settings(settings)
    layers = [_layer(kind, layer.part(f"l{number}"), name) for number in range(layer.num_layers)]
    readout = None
    if isinstance(model, SequenceClassifier):
        linear = model.readout
        bias = None if linear.bias is None else _array(linear.bias, "readout")
        readout = ReadoutArrays(_array(linear.weight.T, "readout"), None, bias, model.pooling)
    if weights == "float32":
        return Program(settings, layers, readout)
    eight = [int8_layer(layer, number, settings) for number, layer in enumerate(layers)]
    return Program(settings, eight, readout and int8_readout(readout))


def _layer(kind: GridKind, values: Any, name: str) -> LayerArrays:
    """Parameters of one layer as the step uses them: one bias, ranges kept positive."""
    projection, recurrent = kind.projection(torch.empty(0), values)
    params = kind.params(values)
    return LayerArrays(
        _array(projection.weight.T, name), _array(recurrent.T, name),
        None if projection.bias is None else _array(projection.bias, name),
        _array(params.threshold.squeeze(1), name), _array(params.clip.squeeze(0), name),
    )  # fmt: skip


def _array(value: Tensor, name: str) -> Array:
    rounded = value.detach().to("cpu", torch.float32).contiguous()
    if not bool(torch.isfinite(rounded).all()):
        raise ConfigError(f"{name} has a weight that is NaN, infinite or too large for float32")
    return np.ascontiguousarray(rounded.numpy())
