"""From a model of ``spikeseq.nn`` to a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.kinds import GridKind, StreamKind
from spikeseq.nn.lstm import QuantizedLSTM, SpikingLSTM, StreamLSTM
from spikeseq.nn.spiking import as_spiking
from spikeseq.ops.neuron import optimal_shift
from spikeseq.runtime.arrays import MOST_PACKET, Array, LayerArrays, ReadoutArrays, Settings, check_settings
from spikeseq.runtime.int8 import int8_layer, int8_readout
from spikeseq.runtime.program import Program


def compile(model: nn.Module, weights: Literal["float32", "int8"] = "float32") -> Program:
    """Return the model, in evaluation mode and float32, for the event-driven runtime.

    model    SpikingLSTM, QuantizedLSTM (unrolled over T), StreamLSTM, or a SequenceClassifier of one of them; one direction.
             Numbers outside float32 are refused, others are rounded.
    weights  "float32", or "int8": rounded to 8 bits with a power-of-two scale for each channel, sums of 32 bits, a leak
             rounded to a multiple of 2^-8
    Raises ConfigError naming the module that cannot run.
    """
    if isinstance(model, SequenceClassifier):
        recurrent, prefix = model.rnn, "rnn."
    elif isinstance(model, nn.Module):
        recurrent, prefix = model, ""
    else:
        raise ConfigError(f"model is {type(model).__name__}: pass a module")
    name = f"{prefix.rstrip('.') or 'model'} ({type(recurrent).__name__})"
    if not isinstance(recurrent, SpikingLSTM | QuantizedLSTM | StreamLSTM):
        raise ConfigError(
            f"{name} cannot run event-driven: only SpikingLSTM, QuantizedLSTM, StreamLSTM and a SequenceClassifier of them can"
        )
    layer: SpikingLSTM | StreamLSTM = as_spiking(recurrent)
    kind = layer.kind
    assert isinstance(kind, GridKind)
    if layer.bidirectional:
        raise ConfigError(f"{name} has bidirectional=True: a backward direction cannot run element by element")
    settings = Settings(
        kind.time_steps, min(kind.max_packet or 0, MOST_PACKET), kind.shift, prefix, weights,
        kind="streams" if isinstance(kind, StreamKind) else "grid", input_code=kind.encoding.code,
    )  # fmt: skip
    check_settings(settings)
    layers = [_layer(kind, layer.part(f"l{number}"), name) for number in range(layer.num_layers)]
    readout = None
    if isinstance(model, SequenceClassifier):
        linear = model.readout
        weight, bias = (p if p is None else p.detach().to("cpu", torch.float32) for p in (linear.weight, linear.bias))
        rows = _array(weight.T, "readout")
        readout = ReadoutArrays(rows, None, None if bias is None else _array(bias, "readout"), model.pooling)
    if weights == "float32":
        return Program(settings, layers, readout)
    eight = [int8_layer(layer, number, settings) for number, layer in enumerate(layers)]
    return Program(settings, eight, readout and int8_readout(readout))


def _layer(kind: GridKind, values: Mapping[str, Tensor], name: str) -> LayerArrays:
    """Parameters of one layer as the step uses them: one bias, ranges kept positive, the code's step in the weights."""
    own = {key: value.detach().to("cpu", torch.float32) for key, value in values.items()}
    projection, recurrent = kind.projection(torch.zeros(own["weight_ih"].shape[1]), own)
    params = kind.params(own)
    made = LayerArrays(
        _array(projection.weight.T, name), _array(recurrent.T, name),
        None if projection.bias is None else _array(projection.bias, name),
        _array(params.threshold.squeeze(1), name), _array(params.clip.squeeze(0), name),
        input_step=_array(own["input_step"], name) if "input_step" in own else None,
    )  # fmt: skip
    if not isinstance(kind, StreamKind):
        return made
    shift = (
        optimal_shift(params.leak, kind.time_steps, params.threshold) if kind.shift else torch.zeros_like(params.leak)
    )
    leak = _array(params.leak.squeeze(1), name) if kind.leak < 1 else None  # else IF gates: 1, and not learned
    return made._replace(leak=leak, offset=_array(shift.squeeze(1), name))


def _array(value: Tensor, name: str) -> Array:
    if not bool(torch.isfinite(value).all()):
        raise ConfigError(f"{name} has a weight that is NaN, infinite or too large for float32")
    return np.ascontiguousarray(value.numpy())
