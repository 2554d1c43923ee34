"""Model files of a Sequential: the list of its layers with their settings, and its weights; written whole, read with care."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from spikeseq.errors import CheckpointError, ConfigError, SpikeseqError, nearest
from spikeseq.nn.checkpoint import load_model, load_weights, read_file
from spikeseq.nn.conv import SpikingConv1d, SpikingConv2d
from spikeseq.nn.cuba import CubaLIF
from spikeseq.nn.dropout import SequenceDropout
from spikeseq.nn.graded_lif import GradedLIF
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.neurons import Neurons
from spikeseq.nn.readout import Integrator, Last
from spikeseq.nn.sequential import Sequential
from spikeseq.ops.spike import SURROGATES
from spikeseq.report.atomic import write_atomic

FORMAT = "spikeseq-layers/1"
MOST_LAYERS = 1000
CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias")
NEURONS = ("channels", "learn_threshold", "reset", "surrogate")
LEAKY = (*NEURONS, "learn_leak")

# type of layer -> the arguments that build it; attributes of the same names, unless _setting knows better
SETTINGS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("in_features", "out_features", "bias"),
    nn.Conv1d: CONVOLUTION,
    nn.Conv2d: CONVOLUTION,
    nn.MaxPool2d: ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    nn.AvgPool2d: ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
    nn.Flatten: ("start_dim", "end_dim"),
    nn.ReLU: (),
    nn.Identity: (),
    nn.Dropout: ("p",),
    SequenceDropout: ("p",),
    LIF: (*LEAKY, "dyadic_leak"),
    IF: NEURONS,
    CubaLIF: LEAKY,
    GradedLIF: ("channels", "levels", "gate", "learn_threshold", "learn_leak", "dyadic_leak"),
    SpikingConv1d: ("in_channels", "out_channels", "kernel_size", "bias", "causal", "neuron"),
    SpikingConv2d: (*CONVOLUTION, "neuron"),
    Integrator: ("normalise",),
    Last: (),
}
TYPES = {kind.__name__: kind for kind in SETTINGS}


class LayersFile(NamedTuple):
    """What such a file holds."""

    model: Sequential
    element_shape: tuple[int, ...] | None  # of x, without L and B
    notes: dict[str, Any]


def save_layers(
    path: str | Path,
    model: Sequential,
    element_shape: tuple[int, ...] | None = None,
    notes: dict[str, Any] | None = None,
) -> Path:
    """Write a Sequential, whole or not at all; ``notes`` are plain values.

    Raises ConfigError naming a layer whose type has no settings in such a file.
    """
    content = {
        "format": FORMAT, "layers": [describe(layer, name) for name, layer in model.named_children()],
        "batch_first": model.batch_first, "element_shape": None if element_shape is None else list(element_shape),
        "notes": notes or {}, "state": {k: v.detach().cpu() for k, v in model.state_dict().items()},
    }  # fmt: skip
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return write_atomic(path, buffer.getvalue())


def load_layers(path: str | Path) -> LayersFile:
    """Read a Sequential, in evaluation mode. Raises CheckpointError for everything that :func:`save_layers` did not write."""
    content = read_file(path, FORMAT, {"layers": list, "notes": dict, "state": dict})
    shape = content.get("element_shape")
    try:
        if len(content["layers"]) > MOST_LAYERS:
            raise ConfigError(f"it names {len(content['layers'])} layers, more than {MOST_LAYERS}")
        with torch.device("meta"):  # sizes cost nothing until weights of these sizes are there
            model = Sequential(*map(build, content["layers"]), batch_first=bool(content.get("batch_first")))
        size = None if shape is None else tuple(int(n) for n in shape)
    except (SpikeseqError, TypeError, ValueError, AttributeError, LookupError, RuntimeError) as error:
        raise CheckpointError(f"checkpoint {str(path)!r} holds layers that cannot be built ({error})") from error
    load_weights(model, content["state"], str(path), assign=True)
    return LayersFile(model.eval(), size, content["notes"])


def describe(layer: nn.Module, name: str) -> dict[str, Any]:
    """Type and settings of a layer as plain values."""
    kind = type(layer)
    if kind not in SETTINGS:
        raise ConfigError(
            f"layer {name!r} is a {kind.__name__}, which no model file holds; {nearest(kind.__name__, TYPES)}"
        )
    return {"type": kind.__name__, "settings": {key: _setting(layer, key, name) for key in SETTINGS[kind]}}


def build(description: Any) -> nn.Module:
    """The layer of such a description, with fresh weights. Raises ConfigError, or what its constructor raises."""
    name, settings = description["type"], dict(description["settings"])
    if name not in TYPES:
        raise ConfigError(f"type {name!r} is not known: {nearest(str(name), TYPES)}")
    unknown = [key for key in settings if key not in SETTINGS[TYPES[name]]]
    if unknown:
        raise ConfigError(f"{name} has no setting {unknown[0]!r}")
    if "neuron" in settings:
        settings["neuron"] = build(settings["neuron"])
    if "surrogate" in settings:
        settings["surrogate"] = _surrogate(settings["surrogate"])
    for key, value in settings.items():
        if isinstance(value, list):
            settings[key] = tuple(value)
    return TYPES[name](**settings)


def _setting(layer: nn.Module, key: str, name: str) -> Any:
    """An argument's value as a plain one."""
    own: Any = layer
    if key == "bias":
        return getattr(own, "conv", own).bias is not None
    if isinstance(layer, SpikingConv1d) and key.endswith("_channels"):
        return own.conv.out_features if key == "out_channels" else own.conv.in_features // own.kernel_size
    if key == "neuron":
        return describe(own.neuron, f"{name}.neuron")
    if isinstance(layer, Neurons):
        return _neuron_setting(own, key, name)
    value = getattr(own.conv if isinstance(layer, SpikingConv2d) else own, key)
    return list(value) if isinstance(value, tuple) else value


def _neuron_setting(layer: Any, key: str, name: str) -> Any:
    if key.startswith("learn_"):
        return bool(layer.get_parameter(key.removeprefix("learn_")).requires_grad)
    if key == "surrogate":
        own = layer.step.surrogate
        found = next((word for word, kind in SURROGATES.items() if type(own) is kind), None)
        if found is None:
            raise ConfigError(
                f"layer {name!r} has the surrogate {own!r}: a model file holds those of ops/spike.py alone"
            )
        return {"name": found, **dataclasses.asdict(own)}
    if key in ("levels", "gate", "channels"):
        return getattr(layer, key)
    return {"dyadic_leak": layer.rounded, "reset": layer.step.reset}[key]


def _surrogate(description: Any) -> Any:
    values = {key: float(value) for key, value in description.items() if key != "name"}
    made: Any = SURROGATES[description["name"]]
    return made(**values)


class AnyFile(NamedTuple):
    """A model file of either kind."""

    model: nn.Module
    element_shape: tuple[int, ...] | None
    notes: dict[str, Any]


def load_any(path: str | Path) -> AnyFile:
    """Read a model file of a classifier or of a Sequential. Raises CheckpointError as load_model and load_layers."""
    if is_layers(path):
        return AnyFile(*load_layers(path))
    model, _, notes = load_model(path)
    return AnyFile(model, None, notes)


def is_layers(path: str | Path) -> bool:
    """Whether it is the file of a Sequential; False for everything that cannot be read."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # load_model says what is wrong
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT
