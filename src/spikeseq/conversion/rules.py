"""How each type of layer is converted: one registered handler for each type.

A handler takes the layer (a copy it may keep) and a Context, and returns the new layer and its report. To convert a
layer of your own::

    @spikeseq.conversion.register(MyLayer)
    def convert_my_layer(layer, context):
        return MySpikingLayer(layer, context.config.time_steps), LayerReport(context.name, "MyLayer", "MySpikingLayer")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.conversion.calibrate import Call, fit_clips, fit_thresholds, input_range, preactivations
from spikeseq.conversion.config import ConvertConfig
from spikeseq.conversion.report import LayerReport, PartReport
from spikeseq.errors import ConversionError
from spikeseq.nn.kinds import QuantizedKind
from spikeseq.nn.level_kinds import LevelGatedKind
from spikeseq.nn.lstm import LSTM, HardLSTM, QuantizedLSTM, SpikingLSTM, StreamLSTM
from spikeseq.nn.recurrent import Recurrent

GATES = ("i", "f", "o")  # rows of ``threshold``; blocks 0, 1 and 3 of a preactivation


@dataclass(frozen=True)
class Context:
    """What a handler may use: the module's name, the settings, and the layer's calls during calibration."""

    name: str
    config: ConvertConfig
    calls: list[Call]


Handler = Callable[[Any, Context], tuple[nn.Module, LayerReport]]
_HANDLERS: dict[type, Handler] = {}


def register(layer_type: type) -> Callable[[Handler], Handler]:
    """Register the handler of a layer type (the exact type, not its subclasses); a later one replaces an earlier one."""

    def keep(handler: Handler) -> Handler:
        _HANDLERS[layer_type] = handler
        return handler

    return keep


def handler_of(module: nn.Module) -> Handler | None:
    """Return the handler of a module's type, or None."""
    return _HANDLERS.get(type(module))


@register(nn.LSTM)
def convert_lstm(layer: nn.LSTM, context: Context) -> tuple[nn.Module, LayerReport]:
    """Float -> hard (ranges from calibration) -> T levels -> spikes. Raises ConversionError for ``proj_size``."""
    if layer.proj_size:
        raise ConversionError(
            f"module {context.name or 'model'!r}: nn.LSTM with proj_size={layer.proj_size} has no spiking twin; "
            "train it with proj_size=0 and a Linear behind it"
        )
    source = like(LSTM, layer)
    source.load_state_dict(layer.state_dict())
    freeze_like(source, layer)
    return _convert(source, context, "nn.LSTM", torch.sigmoid)


@register(LSTM)
def convert_own_lstm(layer: LSTM, context: Context) -> tuple[nn.Module, LayerReport]:
    """As ``nn.LSTM``."""
    return _convert(layer, context, "LSTM", torch.sigmoid)


@register(HardLSTM)
def convert_hard_lstm(layer: HardLSTM, context: Context) -> tuple[nn.Module, LayerReport]:
    """Hard -> T levels -> spikes; the trained ranges are kept."""
    return _convert(layer, context, "HardLSTM", None)


@register(QuantizedLSTM)
def convert_quantized_lstm(layer: QuantizedLSTM, context: Context) -> tuple[nn.Module, LayerReport]:
    """T levels -> spikes, without any change of value. Raises ConversionError when T or the input's code differs."""
    if layer.kind.time_steps != context.config.time_steps:
        raise ConversionError(
            f"module {context.name or 'model'!r} was trained for time_steps={layer.kind.time_steps}, "
            f"the config says {context.config.time_steps}; convert with the T it was trained for"
        )
    if context.config.stage == "hard":
        raise ConversionError(
            f"module {context.name or 'model'!r} is quantised already: stage='hard' would undo its training; "
            "convert the float or hard model instead"
        )
    assert isinstance(layer.kind, QuantizedKind)
    own, config = layer.kind.encoding, context.config
    if config.input_encoding != "direct" and (config.input_encoding, config.input_levels or own.levels) != (
        own.code, own.levels,
    ):  # fmt: skip
        raise ConversionError(
            f"module {context.name or 'model'!r} was trained with input_encoding={own.code!r} ({own.levels} levels), the "
            f"config says {config.input_encoding!r} ({config.input_levels or 'as many'}); convert the float or hard model "
            "instead"
        )
    return _convert(layer, context, "QuantizedLSTM", None)


def _convert(
    source: Recurrent, context: Context, label: str, gate: Callable[[Tensor], Tensor] | None
) -> tuple[nn.Module, LayerReport]:
    """Build the stages after ``source``; ``gate`` is its float gate function, None for a layer with ranges of its own."""
    config = context.config
    a = preactivations(source, context.calls, config.samples) if context.calls else {}
    stages: dict[str, Recurrent] = {}
    if gate is not None:
        stages["hard"] = _ranged(like(HardLSTM, source), source, a if fits(config) else {}, gate)
    if config.stage != "hard" and not isinstance(source, QuantizedLSTM):
        quantized = like(
            QuantizedLSTM, source, time_steps=config.time_steps, shift=config.level_shift, **input_options(config)
        )
        fitted = a if fits(config) and gate is not None else {}
        stages["quantized"] = _ranged(quantized, source, fitted, gate, config.time_steps, config.level_shift)
        if context.calls:
            fit_input(quantized, input_range(context.calls, quantized.batch_first))
    if config.stage == "spiking":
        stages["spiking"] = _spiking(stages.get("quantized", source), config)
    result = list(stages.values())[-1] if stages else source
    spiking, analog = (
        (("i", "f", "o", "h"), ("g", "c")) if config.stage != "hard" else ((), ("i", "f", "g", "o", "c", "h"))
    )
    parts = tuple(_part_report(result, part, rows) for part, rows in a.items())
    report = LayerReport(
        context.name, label, type(result).__name__, spiking, analog, parts, stage_errors(source, stages, context.calls)
    )
    return result, report


def input_options(config: ConvertConfig) -> dict[str, Any]:
    """Arguments of a layer that takes its input as the settings say."""
    return {"input_encoding": config.input_encoding, "input_levels": config.input_levels}


def fit_input(layer: Recurrent, largest: Tensor) -> None:
    """Set the steps of an encoded input so that the largest value ``[I]`` of each feature takes all its levels."""
    steps = [p for name, p in layer.named_parameters() if name.startswith("input_step")]
    if not steps or not bool(largest.any()):  # data without a value says nothing about the range
        return
    assert isinstance(layer.kind, QuantizedKind | LevelGatedKind)
    with torch.no_grad():
        for step in steps:
            step.copy_(torch.where(largest > 0, largest, largest.max()) / layer.kind.encoding.levels)


def fits(config: ConvertConfig) -> bool:
    """Whether ranges come from calibration data."""
    return config.thresholds == "calibrated"


def like(layer_type: Any, layer: Any, **options: Any) -> Any:
    """A layer of another type with the same sizes, on the same device and with the same precision."""
    weight = layer.weight_ih_l0
    return layer_type(
        layer.input_size, layer.hidden_size, layer.num_layers, bias=layer.bias, batch_first=layer.batch_first,
        dropout=layer.dropout, bidirectional=layer.bidirectional, device=weight.device, dtype=weight.dtype, **options,
    ).train(layer.training)  # fmt: skip


def _ranged(
    layer: Recurrent,
    source: Recurrent,
    a: dict[str, Tensor],
    gate: Callable[[Tensor], Tensor] | None,
    levels: int | None = None,
    shift: float = 0.5,
) -> Recurrent:
    """Copy the source's parameters into ``layer`` and, where preactivations are given, fit the ranges to them."""
    layer.load_state_dict(source.state_dict())
    freeze_like(layer, source)
    for part, rows in a.items():
        assert gate is not None
        values = layer.part(part)
        blocks = rows.chunk(4, -1)
        with torch.no_grad():
            for k, block in zip(range(3), (0, 1, 3), strict=True):
                values["threshold"][k] = fit_thresholds(blocks[block], gate, levels, shift)
            values["clip"].copy_(fit_clips(blocks[2]))
    return layer


def _spiking(source: Recurrent, config: ConvertConfig) -> Recurrent:
    """The spiking layer with the source's parameters."""
    # a quantised layer keeps the shift that it was trained with
    own = source.kind if isinstance(source.kind, QuantizedKind) else None
    shift = own.shift if own else config.level_shift
    encoding = own.encoding.options() if own else input_options(config)
    layer: Recurrent
    if config.scheme == "grid":
        layer = like(
            SpikingLSTM, source, time_steps=config.time_steps, max_packet=config.max_packet, shift=shift, **encoding
        )
    else:
        leak = config.leak if config.neuron == "lif" else 1.0
        layer = like(StreamLSTM, source, time_steps=config.time_steps, leak=leak, shift=shift, **encoding)
    state = layer.state_dict()
    state.update(source.state_dict())
    layer.load_state_dict(state)
    freeze_like(layer, source)
    return layer


def freeze_like(layer: Recurrent, source: nn.Module) -> None:
    """What the source does not train, its successor does not either."""
    trained = {name: p.requires_grad for name, p in source.named_parameters()}
    for name, p in layer.named_parameters():
        p.requires_grad_(p.requires_grad and trained.get(name, True))


def _part_report(layer: Recurrent, part: str, a: Tensor) -> PartReport:
    values = layer.part(part)
    blocks = a.chunk(4, -1)
    threshold, clip = values["threshold"].detach(), values["clip"].detach()
    clipped = {
        k: float((blocks[b].abs() > threshold[row] / 2).float().mean())
        for row, (k, b) in enumerate(zip(GATES, (0, 1, 3), strict=True))
    }
    clipped["g"] = float((blocks[2].abs() > clip).float().mean())
    return PartReport(part, {k: span(threshold[row]) for row, k in enumerate(GATES)}, span(clip), clipped)


def span(values: Tensor) -> tuple[float, float, float]:
    """Least, mean and largest value."""
    return float(values.min()), float(values.mean()), float(values.max())


def stage_errors(source: Recurrent, stages: Mapping[str, Recurrent], calls: list[Call]) -> dict[str, float]:
    """Relative root-mean-square error of each stage's output against the source's, over the calibration calls."""
    sums = dict.fromkeys(stages, 0.0)
    total = 0.0
    with torch.no_grad():
        for args, kwargs in calls:
            reference = _values(source(*args, **kwargs)[0])
            total += float(reference.square().sum())
            for stage, layer in stages.items():
                sums[stage] += float((_values(layer(*args, **kwargs)[0]) - reference).square().sum())
    return {stage: (value / total) ** 0.5 for stage, value in sums.items()} if total else {}


def _values(output: Tensor | PackedSequence) -> Tensor:
    return output.data if isinstance(output, PackedSequence) else output
