"""A NIR graph, made here or elsewhere, as a Sequential that runs: its nodes must be one chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import nir
import numpy as np
import torch
from torch import nn

from spikeseq.errors import CheckpointError, ConfigError, nearest
from spikeseq.exchange.nir.neurons import read_neurons
from spikeseq.exchange.nir.write import DT
from spikeseq.nn.readout import Integrator, Last
from spikeseq.nn.sequential import Sequential
from spikeseq.ops.neuron import Reset

RESETS = ("zero", "subtract")
KNOWN = "Affine, Linear, Conv1d, Conv2d, AvgPool2d, SumPool2d, Flatten, LIF, IF, CubaLIF and, at the end, I"


class Imported(NamedTuple):
    """What a graph became."""

    model: Sequential
    element_shape: tuple[int, ...] | None  # None: the graph does not tell
    dt: float  # seconds of an element
    reset: Reset


def from_nir(source: str | Path | nir.NIRGraph, dt: float | None = None, reset: Reset | None = None) -> Imported:
    """Return a graph, or the file of one, as a Sequential (time first, evaluation mode).

    dt     seconds of an element; None: as the graph's metadata say, else 1e-4 (snnTorch, SpikingJelly)
    reset  None: as the graph's metadata say, else "zero", which is NIR's own (v_reset)

    Raises:
        CheckpointError: the file is missing, damaged or no NIR file.
        ConfigError: the graph is no chain, or has a node or a parameter that nothing here is; the node's name.
    """
    graph = source if isinstance(source, nir.NIRGraph) else _read(source)
    notes = graph.metadata if isinstance(graph.metadata, dict) else {}
    step = _step(notes.get("dt", DT) if dt is None else dt)
    how = _text(notes.get("reset", "zero")) if reset is None else reset
    if how not in RESETS:
        raise ConfigError(f"reset={how!r}: {nearest(str(how), RESETS)}")
    layers: list[nn.Module] = []
    chain = _chain(graph)
    for name, node in chain:
        if layers and isinstance(layers[-1], Integrator):
            raise ConfigError(f"node {name!r} stands behind an integrator, which reads out the sequence here")
        try:
            layers += _layers(name, node, layers, step, how)  # type: ignore[arg-type]
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
            raise (
                error if isinstance(error, ConfigError) else ConfigError(f"node {name!r} cannot be read ({error})")
            ) from error
    readout = _text(notes.get("readout", ""))
    if layers and isinstance(layers[-1], Integrator) and readout == "mean":
        layers[-1] = Integrator("length")
    if readout == "last":
        layers.append(Last())
    if not layers:
        raise ConfigError("the graph has an input and an output, and nothing between them")
    return Imported(Sequential(*layers).eval(), _shape(graph), step, how)  # type: ignore[arg-type]


def _read(path: str | Path) -> nir.NIRGraph:
    if not Path(path).is_file():
        raise CheckpointError(f"{str(path)!r} does not exist, or is no file: pass a NIR file")
    try:
        graph = nir.read(path)
    except Exception as error:  # h5py and nir raise many kinds for a damaged file
        raise CheckpointError(f"{str(path)!r} cannot be read ({error}); it is damaged or no NIR file") from error
    if not isinstance(graph, nir.NIRGraph):
        raise CheckpointError(f"{str(path)!r} holds a {type(graph).__name__}, no NIRGraph")
    return graph


def _step(value: Any) -> float:
    try:
        step = float(_text(value))
    except (TypeError, ValueError):
        step = float("nan")
    if not 0 < step < float("inf"):
        raise ConfigError(f"dt={value!r}: pass seconds, more than 0")
    return step


def _text(value: Any) -> str:
    """Metadata come back from a file as text, bytes or arrays of them."""
    plain = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    return plain.decode() if isinstance(plain, bytes) else str(plain)


def _chain(graph: nir.NIRGraph) -> list[tuple[str, Any]]:
    """The nodes between input and output, in order. Raises ConfigError where they are no chain."""
    inputs = [name for name, node in graph.nodes.items() if isinstance(node, nir.Input)]
    outputs = [name for name, node in graph.nodes.items() if isinstance(node, nir.Output)]
    if len(inputs) != 1 or len(outputs) != 1:
        raise ConfigError(f"the graph has {len(inputs)} inputs and {len(outputs)} outputs: one of each can be imported")
    edges = set(graph.edges)
    name, found = inputs[0], []
    while name != outputs[0]:
        behind = [b for a, b in edges if a == name]
        if len(behind) != 1 or behind[0] not in graph.nodes:
            raise ConfigError(
                f"node {name!r} leads to {behind or 'nothing'}: only a chain, one node behind another, is imported"
            )
        name = behind[0]
        before = [a for a, b in edges if b == name]
        if len(before) != 1:
            raise ConfigError(
                f"node {name!r} has {len(before)} inputs ({sorted(before)}): recurrent graphs are not imported"
            )
        found.append((name, graph.nodes[name]))
    if len(found) + 1 != len(graph.nodes):
        rest = sorted(set(graph.nodes) - {inputs[0], *(name for name, _ in found)})
        raise ConfigError(f"nodes {rest} are on no way from input to output")
    return found[:-1]


def _layers(name: str, node: Any, before: list[nn.Module], dt: float, reset: Reset) -> list[nn.Module]:
    """The layer of one node."""
    if isinstance(node, nir.LIF | nir.IF | nir.CubaLIF):
        return [read_neurons(node, name, dt, reset)]
    if isinstance(node, nir.I):
        return [_integrator(node, name, before, dt)]
    if isinstance(node, nir.Affine | nir.Linear):
        outputs, inputs = node.weight.shape
        return [_with(nn.Linear(inputs, outputs, bias=isinstance(node, nir.Affine)), node, name)]
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        kind: Any = nn.Conv1d if isinstance(node, nir.Conv1d) else nn.Conv2d
        out, own, *window = node.weight.shape
        made = kind(
            own * int(node.groups), out, tuple(window), _plain(node.stride), _plain(node.padding), _plain(node.dilation),
            int(node.groups),
        )  # fmt: skip
        return [_with(made, node, name)]
    if isinstance(node, nir.AvgPool2d | nir.SumPool2d):
        divisor = 1 if isinstance(node, nir.SumPool2d) else None
        kernel, stride, padding = (_plain(v) for v in (node.kernel_size, node.stride, node.padding))
        return [nn.AvgPool2d(kernel, stride, padding, divisor_override=divisor)]
    if isinstance(node, nir.Flatten):
        ends = [d + 1 if d >= 0 else d for d in (int(node.start_dim), int(node.end_dim))]
        return [nn.Flatten(*ends)]
    raise ConfigError(f"node {name!r} is a {type(node).__name__}: {KNOWN} can be imported")


def _integrator(node: nir.I, name: str, before: list[nn.Module], dt: float) -> Integrator:
    """An integrator whose gain, where it is not 1, goes into the Linear before it."""
    gain = torch.from_numpy(np.asarray(node.r, np.float64) * dt).flatten()
    if not torch.allclose(gain, torch.ones_like(gain), atol=1e-5):
        last = before[-1] if before else None
        if not isinstance(last, nn.Linear) or gain.numel() not in (1, last.out_features):
            raise ConfigError(f"node {name!r} has r dt other than 1, and no Linear of its size before it to take it in")
        with torch.no_grad():
            last.weight.mul_(gain[:, None])
            if last.bias is not None:
                last.bias.mul_(gain)
    return Integrator()


def _with(layer: Any, node: Any, name: str) -> nn.Module:
    """The layer with the node's weights. Raises ConfigError where they are not finite."""
    with torch.no_grad():
        for field in ("weight", "bias"):
            value = getattr(node, field, None)
            if value is None:
                continue
            array = np.asarray(value, np.float32)
            if not np.all(np.isfinite(array)):
                raise ConfigError(f"node {name!r}: {field} is not finite in float32")
            own = layer.get_parameter(field)
            own.copy_(torch.from_numpy(array).expand(own.shape))
    made: nn.Module = layer
    return made


def _plain(value: Any) -> Any:
    """Whole numbers of a node: a number, a pair, or "same" and "valid"."""
    if isinstance(value, str | bytes):
        return _text(value)
    array = np.asarray(value)
    return (
        _text(array)
        if array.dtype.kind in "OSU"
        else int(array)
        if array.ndim == 0
        else tuple(int(v) for v in array.flat)
    )


def _shape(graph: nir.NIRGraph) -> tuple[int, ...] | None:
    """Shape of an element, where the input tells."""
    node = next(node for node in graph.nodes.values() if isinstance(node, nir.Input))
    shape = node.input_type.get("input")
    return None if shape is None else tuple(int(n) for n in np.asarray(shape).flat)
