"""A NIR graph, made here or elsewhere, as a Sequential that runs: its nodes must be one chain."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import nir
import numpy as np
import torch
from torch import nn

from spikeseq.errors import CheckpointError, ConfigError, SpikeseqError, nearest
from spikeseq.exchange.nir.layers import layers_of, text_of
from spikeseq.exchange.nir.write import DT
from spikeseq.nn.readout import Integrator, Last
from spikeseq.nn.sequential import Sequential
from spikeseq.ops.neuron import Reset

RESETS = ("zero", "subtract")
LARGEST = 1 << 24  # numbers of an element


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
        ConfigError: the graph is no chain, has a node or a parameter that nothing here is (named by its node), or its nodes do
            not fit an element of its input.
    """
    graph = source if isinstance(source, nir.NIRGraph) else _read(source)
    notes = graph.metadata if isinstance(graph.metadata, dict) else {}
    step = _step(notes.get("dt", DT) if dt is None else dt)
    how = text_of(notes.get("reset", "zero")) if reset is None else reset
    if how not in RESETS:
        raise ConfigError(f"reset={how!r}: {nearest(str(how), RESETS)}")
    layers: list[nn.Module] = []
    chain = _chain(graph)
    for name, node in chain:
        if layers and isinstance(layers[-1], Integrator):
            raise ConfigError(f"node {name!r} stands behind an integrator, which reads out the sequence here")
        try:
            layers += layers_of(name, node, layers, step, how)  # type: ignore[arg-type]
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
            raise (
                error if isinstance(error, ConfigError) else ConfigError(f"node {name!r} cannot be read ({error})")
            ) from error
    readout = text_of(notes.get("readout", ""))
    if layers and isinstance(layers[-1], Integrator) and readout == "mean":
        layers[-1] = Integrator("length")
    if readout == "last":
        layers.append(Last())
    if not layers:
        raise ConfigError("the graph has an input and an output, and nothing between them")
    model, shape = Sequential(*layers).eval(), _shape(graph)
    if shape is not None:
        _tried(model, shape)
    return Imported(model, shape, step, how)  # type: ignore[arg-type]


def _tried(model: Sequential, shape: tuple[int, ...]) -> None:
    """Run one element of zeros. Raises ConfigError where the nodes do not fit together."""
    if not all(size > 0 for size in shape) or math.prod(shape) > LARGEST:
        raise ConfigError(f"the input of the graph has shape {shape}: pass one of 1 to {LARGEST} numbers")
    try:
        with torch.no_grad():
            model(torch.zeros(1, 1, *shape))
    except (SpikeseqError, RuntimeError, IndexError, ValueError, TypeError) as error:
        raise ConfigError(f"the nodes of the graph do not fit an element of shape {shape} ({error})") from error


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
        step = float(text_of(value))
    except (TypeError, ValueError):
        step = float("nan")
    if not 0 < step < float("inf"):
        raise ConfigError(f"dt={value!r}: pass seconds, more than 0")
    return step


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


def _shape(graph: nir.NIRGraph) -> tuple[int, ...] | None:
    """Shape of an element, where the input tells."""
    node = next(node for node in graph.nodes.values() if isinstance(node, nir.Input))
    shape = node.input_type.get("input")
    return None if shape is None else tuple(int(n) for n in np.asarray(shape).flat)
