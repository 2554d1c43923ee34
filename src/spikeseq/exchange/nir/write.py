"""A Sequential as a NIR graph: a chain of nodes, one after the other."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError
from spikeseq.exchange.nir.fold import SILENT, folded
from spikeseq.exchange.nir.neurons import write_neurons
from spikeseq.nn.conv import SpikingConv2d
from spikeseq.nn.cuba import CubaLIF
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.nn.readout import Integrator, Last
from spikeseq.nn.sequential import Sequential
from spikeseq.report.atomic import write_atomic

DT = 1e-4  # seconds of an element, as snnTorch and SpikingJelly take it
Shape = tuple[int, ...]


def to_nir(
    model: nn.Module, path: str | Path | None = None, element_shape: Sequence[int] | None = None, dt: float = DT,
    fold_thresholds: bool = False,
) -> nir.NIRGraph:  # fmt: skip
    """Return a Sequential (or a PictureClassifier's) as a NIR graph, and write it to ``path`` where that is given.

    element_shape  of the input; left out where the first layer is Linear
    dt             seconds of an element: what time constants are in units of
    fold_thresholds  write the threshold 1 everywhere, and the weights before it divided by what it was (fold.py): for
                   frameworks that read one threshold for a layer

    What NIR does not say stands in the graph's metadata: dt, the reset, and how an Integrator or Last reads out.

    Raises:
        ConfigError: a module has no node in NIR; its name, and what takes it instead.
        OSError: the file cannot be written.
    """
    if not dt > 0:
        raise ConfigError(f"dt={dt!r}: pass seconds, more than 0")
    body, shape = _body(model, element_shape)
    body = folded(body) if fold_thresholds else body
    nodes: dict[str, Any] = {"input": nir.Input(input_type=np.array(shape))}
    readout = "none"
    for name, layer in body.named_children():
        if isinstance(layer, Last | Integrator):
            readout = "last" if isinstance(layer, Last) else {"none": "sum", "length": "mean"}[layer.normalise]
        for key, node, behind in _nodes(layer, name, shape, dt):
            nodes[key], shape = node, behind
    nodes["output"] = nir.Output(output_type=np.array(shape))
    names = list(nodes)
    metadata = {"spikeseq": "1", "dt": str(dt), "reset": _reset(body), "readout": readout}
    graph = nir.NIRGraph(nodes, list(itertools.pairwise(names)), metadata, type_check=False)
    if path is not None:
        write_atomic(path, _bytes(graph))
    return graph


def _body(model: nn.Module, element_shape: Sequence[int] | None) -> tuple[Sequential, Shape]:
    if isinstance(model, PictureClassifier):
        return model.body, model.element_shape
    if not isinstance(model, Sequential):
        raise ConfigError(
            f"model is a {type(model).__name__}: NIR holds chains of Linear, convolutions, LIF, IF and CubaLIF, no gates, no "
            "embedding, no levels; pass a spikeseq.nn.Sequential of these (a TextClassifier's body), or use export c (spiking "
            "LSTMs) or export onnx"
        )
    first = next((layer for layer in model if next(layer.parameters(), None) is not None), None)
    if element_shape is None and isinstance(first, nn.Linear):
        return model, (first.in_features,)
    if element_shape is None:
        raise ConfigError("element_shape is missing: the first layer does not tell the shape of an element; pass it")
    return model, tuple(element_shape)


def _reset(body: Sequential) -> str:
    """The reset that all neurons share."""
    found = {m.step.reset for m in body.modules() if isinstance(m, LIF | IF | CubaLIF)}
    if len(found) > 1:
        raise ConfigError("the layers reset in two ways: NIR's metadata hold one; give all of them the same reset")
    return found.pop() if found else "zero"


def _nodes(layer: nn.Module, name: str, shape: Shape, dt: float) -> list[tuple[str, Any, Shape]]:
    """Nodes of a layer, with their names and the shapes that they give."""
    if isinstance(layer, (*SILENT, Last)):
        return []
    if isinstance(layer, LIF | IF | CubaLIF):
        return [(name, write_neurons(layer, shape, dt), shape)]
    if isinstance(layer, SpikingConv2d):
        conv = _nodes(layer.conv, f"{name}_conv", shape, dt)
        return [*conv, *_nodes(layer.neuron, f"{name}_neuron", conv[0][2], dt)]
    if isinstance(layer, Integrator):
        return [(name, nir.I(r=np.full(shape, 1 / dt, np.float32)), shape)]
    node = _plain(layer, name, shape)
    return [(name, node, _shape_behind(layer, shape, name))]


def _plain(layer: nn.Module, name: str, shape: Shape) -> Any:
    """The node of a layer without memory."""
    if isinstance(layer, nn.Linear):
        weight = _array(layer.weight)
        return nir.Linear(weight) if layer.bias is None else nir.Affine(weight, _array(layer.bias))
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return _convolution(layer, name, shape)
    if (
        isinstance(layer, nn.AvgPool2d)
        and not layer.ceil_mode
        and (layer.count_include_pad or layer.padding in (0, (0, 0)))
    ):
        kind = nir.AvgPool2d if layer.divisor_override is None else nir.SumPool2d
        if layer.divisor_override in (None, 1):
            return kind(_pair(layer.kernel_size), _pair(layer.stride), _pair(layer.padding))
    if isinstance(layer, nn.Flatten) and layer.start_dim == 1 and layer.end_dim == -1:
        return nir.Flatten({"input": np.array(shape)}, start_dim=0, end_dim=-1)
    remedy = "AvgPool2d has one" if isinstance(layer, nn.MaxPool2d) else "use export onnx"
    raise ConfigError(
        f"module {name!r} ({type(layer).__name__}) has no node in NIR: {remedy}; spiking LSTMs and gated "
        "currents leave by export c"
    )


def _convolution(layer: Any, name: str, shape: Shape) -> Any:
    if layer.padding_mode != "zeros":
        raise ConfigError(f"module {name!r} pads with {layer.padding_mode!r}: NIR pads with zeros")
    bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias
    flat = isinstance(layer, nn.Conv1d)
    sizes = [
        value if isinstance(value, str) else tuple(value) for value in (layer.stride, layer.padding, layer.dilation)
    ]
    stride, padding, dilation = (s[0] if flat and not isinstance(s, str) else s for s in sizes)
    kind = nir.Conv1d if flat else nir.Conv2d
    return kind(
        input_shape=shape[1] if flat else tuple(shape[1:]), weight=_array(layer.weight), stride=stride, padding=padding,
        dilation=dilation, groups=layer.groups, bias=_array(bias),
    )  # fmt: skip


def _shape_behind(layer: nn.Module, shape: Shape, name: str) -> Shape:
    try:
        with torch.no_grad():
            return tuple(layer(torch.zeros(1, *shape)).shape[1:])
    except RuntimeError as error:
        raise ConfigError(f"module {name!r} does not take elements of shape {shape}: {error}") from error


def _array(value: Tensor) -> Any:
    return np.array(value.detach().cpu().float().numpy())


def _pair(value: Any) -> Any:
    return np.array([value, value] if isinstance(value, int) else list(value))


def _bytes(graph: nir.NIRGraph) -> bytes:
    """What nir.write puts into a file: it takes only a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.nir"
        nir.write(path, graph)
        return path.read_bytes()
