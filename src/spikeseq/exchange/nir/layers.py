"""One node of a NIR graph without time constants as a layer; those with them: neurons.py."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from spikeseq.errors import ConfigError
from spikeseq.exchange.nir.neurons import read_neurons
from spikeseq.nn.readout import Integrator
from spikeseq.ops.neuron import Reset

KNOWN = "Affine, Linear, Conv1d, Conv2d, AvgPool2d, SumPool2d, Flatten, LIF, IF, CubaLIF and, at the end, I"


def layers_of(name: str, node: Any, before: list[nn.Module], dt: float, reset: Reset) -> list[nn.Module]:
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
        return text_of(value)
    array = np.asarray(value)
    return (
        text_of(array)
        if array.dtype.kind in "OSU"
        else int(array)
        if array.ndim == 0
        else tuple(int(v) for v in array.flat)
    )


def text_of(value: Any) -> str:
    """Metadata come back from a file as text, bytes or arrays of them."""
    plain = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    return plain.decode() if isinstance(plain, bytes) else str(plain)
