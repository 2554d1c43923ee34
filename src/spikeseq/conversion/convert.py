"""``convert``: a trained model with LSTM or GRU layers in, the same model with spiking layers out."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spikeseq.conversion.calibrate import batches, capture
from spikeseq.conversion.config import ConvertConfig
from spikeseq.conversion.report import ConversionReport
from spikeseq.conversion.rules import Context, handler_of
from spikeseq.errors import ConfigError, ConversionError
from spikeseq.nn.cell import RecurrentCell
from spikeseq.nn.recurrent import Recurrent

UNSUPPORTED = (nn.RNNBase, nn.RNNCellBase, Recurrent, RecurrentCell)  # recurrent layers: an error where no handler is


class Conversion(NamedTuple):
    """Result of :func:`convert`."""

    model: nn.Module
    report: ConversionReport


def convert(
    model: nn.Module, config: ConvertConfig | None = None, calibration: Iterable[Any] | None = None
) -> Conversion:
    """Convert every LSTM and GRU layer of a trained model into a spiking one.

    model        any nn.Module with ``nn.LSTM``, ``nn.GRU`` (or spikeseq) layers anywhere in it; it is left untouched
    config       what to make of them, see :class:`ConvertConfig`
    calibration  iterable of input batches, or of (input, target) pairs whose target is ignored
    Returns the converted copy, with the same signature, and a report of what was done to each layer.
    Raises ConversionError naming the module that cannot be converted, DataError for bad calibration data, ConfigError
    where calibration data is missing.
    """
    config = config or ConvertConfig()
    if calibration is None and config.thresholds == "calibrated":
        raise ConfigError('calibration is None: pass batches of inputs, or ConvertConfig(thresholds="fixed")')
    kept = None if calibration is None else list(batches(calibration))
    clone = copy.deepcopy(model)
    mode = {name: module.training for name, module in clone.named_modules()}
    clone.eval()
    layers = _convertible(clone)
    calls = {name: [] for name in layers} if kept is None else capture(clone, layers, kept)
    before = None if kept is None else _outputs(clone, kept)
    reports = []
    for name, layer in layers.items():
        if kept is not None and not calls[name]:
            raise ConversionError(f"module {name!r} was not called by the calibration data; pass data that reaches it")
        new, report = handler_of(layer)(layer, Context(name, config, calls[name]))  # type: ignore[misc]
        clone = _replace(clone, layer, new)
        reports.append(report)
    error = None if kept is None or before is None else _relative_error(before, _outputs(clone, kept))
    for name, module in clone.named_modules():
        module.training = mode.get(name, model.training)
    return Conversion(clone, ConversionReport(tuple(reports), error))


def _convertible(model: nn.Module) -> dict[str, nn.Module]:
    """Layers with a handler, by name. Raises ConversionError for other recurrent layers, or when there is none."""
    found: dict[str, nn.Module] = {}
    inside: set[nn.Module] = set()
    for name, module in model.named_modules():
        if module in inside:
            continue
        if handler_of(module) is not None:
            found[name] = module
            inside.update(module.modules())
        elif isinstance(module, UNSUPPORTED) and not (isinstance(module, Recurrent) and module.kind.spikes):
            raise ConversionError(
                f"module {name or 'model'!r} is {_type_name(module)}, which convert() does not know; use nn.LSTM or nn.GRU, "
                "or register a handler with spikeseq.conversion.register"
            )
    if not found:
        raise ConversionError(
            f"{type(model).__name__} holds no layer that convert() knows; it needs an nn.LSTM, an nn.GRU, or a registered layer"
        )
    return found


def _type_name(module: nn.Module) -> str:
    kind = type(module)
    return f"nn.{kind.__name__}" if kind.__module__.startswith("torch.") else kind.__name__


def _replace(model: nn.Module, old: nn.Module, new: nn.Module) -> nn.Module:
    """Put ``new`` wherever ``old`` stands; return the model (``new`` itself if the model was the layer)."""
    if model is old:
        return new
    for module in model.modules():
        for name, child in list(module._modules.items()):  # named_children() leaves out a second name
            if child is old:
                setattr(module, name, new)
    return model


def _outputs(model: nn.Module, inputs: list[Any]) -> list[Tensor] | None:
    """The model's outputs where they are plain tensors (or tuples that begin with one), else None."""
    outputs = []
    with torch.no_grad():
        for x in inputs:
            y = model(x)
            y = y[0] if isinstance(y, tuple) else y
            if not isinstance(y, Tensor):
                return None
            outputs.append(y)
    return outputs


def _relative_error(before: list[Tensor], after: list[Tensor] | None) -> float | None:
    if after is None:
        return None
    error = sum(float((a - b).square().sum()) for a, b in zip(after, before, strict=True))
    total = sum(float(b.square().sum()) for b in before)
    return (error / total) ** 0.5 if total else None
