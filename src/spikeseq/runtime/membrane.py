"""From a ``spikeseq.nn.Sequential`` of Linear and LIF or IF layers to the arrays of a program."""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import nn

from spikeseq.errors import ConfigError
from spikeseq.nn.dropout import SequenceDropout
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.readout import Integrator, Last
from spikeseq.nn.sequential import Sequential
from spikeseq.ops.neuron import Reset
from spikeseq.runtime.arrays import LayerArrays, ReadoutArrays, Settings
from spikeseq.runtime.tensors import Parts, float_array, linear_arrays

SILENT = (nn.Identity, nn.Dropout, SequenceDropout)  # in evaluation
POOLING: dict[str, Literal["sum", "mean"]] = {"none": "sum", "length": "mean"}
WHAT = (
    "a Sequential runs event-driven if it is Linear, LIF (or IF) once or more, and then nothing, Last, Linear, "
    "Linear and Last, or Linear and Integrator"
)
Named = tuple[str, nn.Module]


def membrane_arrays(model: Sequential, weights: Literal["float32", "int8"]) -> Parts:
    """Return settings, layers and readout, float32. Raises ConfigError naming the module that cannot run."""
    rest: list[Named] = [(name, m) for name, m in model.named_children() if not isinstance(m, SILENT)]
    layers: list[LayerArrays] = []
    names: list[str] = []
    resets: set[Reset] = set()
    while len(rest) > 1:
        (product, linear), (name, neurons) = rest[:2]
        if not isinstance(linear, nn.Linear) or not isinstance(neurons, LIF | IF):
            break
        layers.append(_layer(linear, neurons, name))
        names += [product, name]
        resets.add(neurons.step.reset)
        rest = rest[2:]
    readout = _readout(rest)
    spikes = not rest or [type(module) for _, module in rest] == [Last]  # the output is the last layer's
    if not layers or not (readout or spikes):
        where = f"module {rest[0][0]!r} ({type(rest[0][1]).__name__}) cannot run: " if rest else ""
        raise ConfigError(where + WHAT)
    if len(resets) > 1:
        raise ConfigError("the layers reset in two ways: give all of them the same reset")
    names += [name for name, module in rest if not isinstance(module, Last)]
    settings = Settings(1, 0, 0.5, weights=weights, kind="lif", reset=resets.pop(), names=tuple(names))
    return settings, layers, readout


def _layer(linear: nn.Linear, neurons: LIF | IF, name: str) -> LayerArrays:
    hidden = linear.out_features
    if neurons.channels not in (None, hidden):
        raise ConfigError(f"module {name!r} has {neurons.channels} channels, the Linear before it gives {hidden}")
    threshold, leak = (np.broadcast_to(float_array(p, name), (hidden,)) for p in neurons.effective())
    rows, bias = linear_arrays(linear, name)
    return LayerArrays(rows, None, bias, np.array(threshold), None, None if neurons.leak is None else np.array(leak))


def _readout(rest: list[Named]) -> ReadoutArrays | None:
    """Readout of the modules that are left, if they are one."""
    kinds = [type(module) for _, module in rest]
    if kinds not in ([nn.Linear], [nn.Linear, Last], [Last, nn.Linear], [nn.Linear, Integrator]):
        return None
    name, linear = next((name, module) for name, module in rest if isinstance(module, nn.Linear))
    rows, bias = linear_arrays(linear, name)
    last = rest[-1][1]
    return ReadoutArrays(rows, None, bias, POOLING[last.normalise] if isinstance(last, Integrator) else "last")
