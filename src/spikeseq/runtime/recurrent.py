"""From recurrent spiking layers, alone or with a readout, to the arrays of a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.current_kinds import CurrentKind, LeakyKind
from spikeseq.nn.gated_current import GatedCurrent, HardGatedCurrent, LeakyCurrent, SpikingGatedCurrent
from spikeseq.nn.kinds import GridKind, StreamKind
from spikeseq.nn.level_kinds import LevelGatedKind
from spikeseq.nn.lstm import GRU, LSTM, HardLSTM, QuantizedLSTM, SpikingLSTM, StreamLSTM
from spikeseq.nn.normalize import folded
from spikeseq.nn.spiking import as_spiking
from spikeseq.ops.neuron import optimal_shift
from spikeseq.runtime.arrays import MOST_PACKET, LayerArrays, ReadoutArrays, Settings
from spikeseq.runtime.tensors import Parts, float_array, linear_arrays

LAYERS = (SpikingLSTM, QuantizedLSTM, StreamLSTM, SpikingGatedCurrent, GatedCurrent, LeakyCurrent)
CONVERTED = (nn.LSTM, nn.GRU, LSTM, GRU, HardLSTM, HardGatedCurrent)
Weights = Literal["float32", "int8"]


def recurrent_arrays(model: nn.Module, weights: Weights) -> Parts:
    """Return settings, layers and readout, float32. Raises ConfigError naming the module that cannot run."""
    recurrent, prefix = (model.rnn, "rnn.") if isinstance(model, SequenceClassifier) else (model, "")
    name = f"{prefix.rstrip('.') or 'model'} ({type(recurrent).__name__})"
    if not isinstance(recurrent, LAYERS):
        known = ", ".join(layer.__name__ for layer in LAYERS)
        advice = "; spikeseq convert makes a spiking model of it" if isinstance(recurrent, CONVERTED) else ""
        raise ConfigError(f"{name} cannot run event-driven: only {known} and a SequenceClassifier of them can{advice}")
    if recurrent.bidirectional:
        raise ConfigError(f"{name} has bidirectional=True: a backward direction cannot run element by element")
    if isinstance(recurrent, SpikingGatedCurrent):
        settings, layers = _levels(recurrent, name, prefix, weights)
    elif isinstance(recurrent, GatedCurrent | LeakyCurrent):
        settings, layers = _multi_bit(recurrent, name, prefix, weights)
    else:
        settings, layers = _lstm(as_spiking(recurrent), name, prefix, weights)
    if not isinstance(model, SequenceClassifier):
        return settings, layers, None
    rows, bias = linear_arrays(model.readout, "readout")
    return settings, layers, ReadoutArrays(rows, None, bias, model.pooling)


def _lstm(
    layer: SpikingLSTM | StreamLSTM, name: str, prefix: str, weights: Weights
) -> tuple[Settings, list[LayerArrays]]:
    kind = layer.kind
    assert isinstance(kind, GridKind)
    settings = Settings(
        kind.time_steps, min(kind.max_packet or 0, MOST_PACKET), kind.shift, prefix, weights,
        kind="streams" if isinstance(kind, StreamKind) else "grid", input_code=kind.encoding.code,
    )  # fmt: skip
    return settings, [_lstm_layer(kind, layer.part(f"l{number}"), name) for number in range(layer.num_layers)]


def _lstm_layer(kind: GridKind, values: Mapping[str, Tensor], name: str) -> LayerArrays:
    """Parameters of one layer as the step uses them: one bias, ranges kept positive, the code's step in the weights."""
    own = _plain(values)
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


def _levels(layer: SpikingGatedCurrent, name: str, prefix: str, weights: Weights) -> tuple[Settings, list[LayerArrays]]:
    kind = layer.kind
    assert isinstance(kind, LevelGatedKind)
    settings = Settings(
        kind.time_steps, 0, kind.shift, prefix, weights, kind="levels", input_code=kind.encoding.code,
        is_signed=kind.signed, recurrent=kind.has_recurrence(),
    )  # fmt: skip
    return settings, [_level_layer(kind, layer.values(f"l{n}"), n, name) for n in range(layer.num_layers)]


def _level_layer(kind: LevelGatedKind, values: Mapping[str, Tensor], number: int, name: str) -> LayerArrays:
    """The same of a gated current: the norm in the weights, and 1 / T in those that meet packets of k spikes for k / T."""
    own = _plain(values)
    _, ready = kind.prepare(own["weight_ih"].new_zeros(1, 1, own["weight_ih"].shape[1]), own, False)
    if "norm_gain" in ready:
        ready = folded(ready)
    share, params = 1 / kind.time_steps, kind.params(ready)  # a power of two: exact
    recurrent = ready.get("weight_hh")
    return LayerArrays(
        float_array(ready["weight_ih"].T * (share if number else 1.0), name),
        None if recurrent is None else float_array(recurrent.T * share, name),
        float_array(ready["bias_ih"], name) if "bias_ih" in ready else None,
        float_array(params.threshold.squeeze(0), name), float_array(params.clip.squeeze(0), name),
        input_step=float_array(own["input_step"], name) if "input_step" in own else None,
    )  # fmt: skip


def _multi_bit(
    layer: GatedCurrent | LeakyCurrent, name: str, prefix: str, weights: Weights
) -> tuple[Settings, list[LayerArrays]]:
    kind = layer.kind
    assert isinstance(kind, CurrentKind)
    code = kind.coder.quantizer
    if code.largest > MOST_PACKET:
        raise ConfigError(f"{name} sends up to {code.largest} levels, more than {MOST_PACKET}: give it one bit less")
    settings = Settings(
        1, 0, 0.5, prefix, weights, kind="leaky" if isinstance(kind, LeakyKind) else "gated", is_signed=code.signed,
        recurrent=kind.has_recurrence(), code_scale=code.scale, code_dead=code.threshold_levels,
        code_nearest=code.rounding == "nearest", input_code="sigma_delta" if kind.input_coder else "direct",
        input_scale=kind.input_coder.quantizer.scale if kind.input_coder else 0.0,
    )  # fmt: skip
    return settings, [_multi_bit_layer(kind, layer.values(f"l{n}"), n, name) for n in range(layer.num_layers)]


def _multi_bit_layer(kind: CurrentKind, values: Mapping[str, Tensor], number: int, name: str) -> LayerArrays:
    """The same of a current with multi-bit outputs: the norm in the weights."""
    own = _plain(values)
    reach, coder = kind.coder.reach(own), kind.input_coder if number == 0 else None
    ready = folded(own) if "norm_gain" in own else own
    recurrent, leak = ready.get("weight_hh"), ready.get("leak")
    return LayerArrays(
        float_array(ready["weight_ih"].T, name), None if recurrent is None else float_array(recurrent.T, name),
        float_array(ready["bias_ih"], name) if "bias_ih" in ready else None, None, None,
        leak=None if leak is None else float_array(leak, name), reach=float_array(reach.view(1), name),
        input_reach=float_array(coder.reach(own).view(1), name) if coder else None,
    )  # fmt: skip


def _plain(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach().to("cpu", torch.float32) for key, value in values.items()}
