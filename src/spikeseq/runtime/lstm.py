"""From spiking LSTM layers, alone or with a readout, to the arrays of a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.kinds import GridKind, StreamKind
from spikeseq.nn.lstm import QuantizedLSTM, SpikingLSTM, StreamLSTM
from spikeseq.nn.spiking import as_spiking
from spikeseq.ops.neuron import optimal_shift
from spikeseq.runtime.arrays import MOST_PACKET, LayerArrays, ReadoutArrays, Settings
from spikeseq.runtime.tensors import Parts, float_array, linear_arrays


def lstm_arrays(model: nn.Module, weights: Literal["float32", "int8"]) -> Parts:
    """Return settings, layers and readout, float32. Raises ConfigError naming the module that cannot run."""
    recurrent, prefix = (model.rnn, "rnn.") if isinstance(model, SequenceClassifier) else (model, "")
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
    layers = [_layer(kind, layer.part(f"l{number}"), name) for number in range(layer.num_layers)]
    if not isinstance(model, SequenceClassifier):
        return settings, layers, None
    rows, bias = linear_arrays(model.readout, "readout")
    return settings, layers, ReadoutArrays(rows, None, bias, model.pooling)


def _layer(kind: GridKind, values: Mapping[str, Tensor], name: str) -> LayerArrays:
    """Parameters of one layer as the step uses them: one bias, ranges kept positive, the code's step in the weights."""
    own = {key: value.detach().to("cpu", torch.float32) for key, value in values.items()}
    projection, recurrent = kind.projection(torch.zeros(own["weight_ih"].shape[1]), own)
    params = kind.params(own)
    made = LayerArrays(
        float_array(projection.weight.T, name), float_array(recurrent.T, name),
        None if projection.bias is None else float_array(projection.bias, name),
        float_array(params.threshold.squeeze(1), name), float_array(params.clip.squeeze(0), name),
        input_step=float_array(own["input_step"], name) if "input_step" in own else None,
    )  # fmt: skip
    if not isinstance(kind, StreamKind):
        return made
    shift = torch.zeros_like(params.leak)
    if kind.shift:
        shift = optimal_shift(params.leak, kind.time_steps, params.threshold)
    leak = float_array(params.leak.squeeze(1), name) if kind.leak < 1 else None  # else IF gates: 1, and not learned
    return made._replace(leak=leak, offset=float_array(shift.squeeze(1), name))
