r"""Neurons of this library and NIR's: continuous time there, one element here, at a step of ``dt`` seconds.

NIR's equations by Euler's method, and ours in brackets::

    LIF      v <- v + (dt / tau) (v_leak - v + r x)                 [leak = 1 - dt / tau,  r = tau / dt,  v_leak = 0]
    IF       v <- v + dt r x                                        [r = 1 / dt]
    CubaLIF  i <- i + (dt / tau_syn) (w_in x - i)                   [current_leak = 1 - dt / tau_syn,  w_in = tau_syn / dt]
             v <- v + (dt / tau_mem) (v_leak - v + r i)             [leak = 1 - dt / tau_mem,  r = tau_mem / dt,  v_leak = 0]

Reading, an input gain ``g = r dt / tau`` other than 1 goes into the threshold: ``v / g`` fires at ``threshold / g`` at the
same elements. NIR fires where v > v_threshold, we where v >= threshold: the same but for ties. NIR's reset sets v to v_reset;
"subtract" is no part of NIR, and stands in the graph's metadata for those who read it.

Source: Pedersen et al. (2024), doi:10.1038/s41467-024-52259-9; nir 1.0.8.
"""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikeseq.errors import ConfigError
from spikeseq.nn.cuba import CubaLIF
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.neurons import Neurons
from spikeseq.ops.neuron import Reset

NeuronNode = Any  # nir.LIF, nir.IF or nir.CubaLIF
Array = NDArray[np.float32]
LONGEST = 2.0**26  # time constant of leak 1, in units of dt: in float32, 1 - 2^-26 is 1


def write_neurons(layer: Neurons, shape: tuple[int, ...], dt: float) -> NeuronNode:
    """The node of a layer whose elements are of ``shape``."""
    threshold, leak = (_spread(p, shape) for p in layer.effective())
    zero = np.zeros_like(threshold)
    if layer.leak is None:
        return nir.IF(r=np.full_like(threshold, 1 / dt), v_threshold=threshold, v_reset=zero)
    tau = _time_constant(leak, dt)
    if not isinstance(layer, CubaLIF):
        return nir.LIF(tau=tau, r=tau / np.float32(dt), v_leak=zero, v_threshold=threshold, v_reset=zero)
    current = _time_constant(_spread(layer.current_leak.clamp(0, 1), shape), dt)
    return nir.CubaLIF(
        tau_syn=current, tau_mem=tau, r=tau / np.float32(dt), v_leak=zero, v_threshold=threshold, v_reset=zero,
        w_in=current / np.float32(dt),
    )  # fmt: skip


def _time_constant(leak: Array, dt: float) -> Array:
    """``dt / (1 - leak)``; LONGEST dt for leak 1, which then comes out again: 1 - dt / tau rounds to 1."""
    return (np.float32(dt) / np.maximum(1 - leak, 1 / LONGEST)).astype(np.float32)


def _spread(value: Tensor, shape: tuple[int, ...]) -> Array:
    """A value of the layer or of each channel for every unit."""
    own = value.detach().cpu().float()
    wide = own.view(*own.shape, *(1,) * (len(shape) - own.dim())) if own.dim() else own
    return np.array(wide.expand(shape).numpy())


def read_neurons(node: NeuronNode, name: str, dt: float, reset: Reset) -> LIF | IF | CubaLIF:
    """The layer of a node. Raises ConfigError for parameters that it has not."""
    for field in ("v_leak", "v_reset"):
        if np.any(np.asarray(getattr(node, field, 0)) != 0):
            raise ConfigError(f"node {name!r} has {field} other than 0, which no neuron here has")
    gain: Any = dt * _field(node, "r", name)
    leak = current = None
    if isinstance(node, nir.LIF):
        leak = _leak(node, "tau", name, dt)
        gain = gain / _field(node, "tau", name)
    if isinstance(node, nir.CubaLIF):
        leak, current = _leak(node, "tau_mem", name, dt), _leak(node, "tau_syn", name, dt)
        gain = gain / _field(node, "tau_mem", name) * _field(node, "w_in", name) * dt / _field(node, "tau_syn", name)
    threshold = _field(node, "v_threshold", name)
    if not np.all(gain > 0) or not np.all(threshold > 0):
        raise ConfigError(f"node {name!r}: its thresholds and input gains (r dt / tau) must be above 0")
    gain = np.where(np.abs(gain - 1) < 1e-5, 1.0, gain)  # 1 but for the rounding of tau
    values = {"threshold": threshold / gain, "leak": leak, "current_leak": current}
    return _layer(name, {key: _channels(v, name, key) for key, v in values.items() if v is not None}, reset)


def _layer(name: str, values: dict[str, Tensor], reset: Reset) -> LIF | IF | CubaLIF:
    channels = max((v.numel() for v in values.values() if v.dim()), default=None)
    made: LIF | IF | CubaLIF
    if "current_leak" in values:
        made = CubaLIF(channels, reset=reset)
    else:
        made = LIF(channels, reset=reset) if "leak" in values else IF(channels, reset=reset)
    with torch.no_grad():
        for key, value in values.items():
            own = made.get_parameter(key)
            if value.dim() and value.shape != own.shape:
                raise ConfigError(f"node {name!r}: {key} has {value.numel()} values, others {channels}")
            own.copy_(value)
    return made


def _field(node: Any, field: str, name: str) -> NDArray[np.float64]:
    """A parameter as float64, so that nothing is rounded before the end. Raises ConfigError where it is not finite."""
    value = np.asarray(getattr(node, field), np.float64)
    if value.size == 0 or not np.all(np.isfinite(value)):
        raise ConfigError(f"node {name!r}: {field} is empty or not finite")
    return value


def _leak(node: Any, field: str, name: str, dt: float) -> NDArray[np.float64]:
    tau = _field(node, field, name)
    if np.any(tau < dt * (1 - 1e-6)):
        raise ConfigError(f"node {name!r}: {field} is shorter than dt={dt}; pass the step that the graph was made for")
    leak: NDArray[np.float64] = np.maximum(1 - dt / tau, 0)
    return leak


def _channels(value: NDArray[np.float64], name: str, key: str) -> Tensor:
    """One value where all units share it, else one for each channel (the first axis)."""
    flat = value.reshape(value.shape[0], -1) if value.ndim else value.reshape(1, 1)
    if np.any(flat != flat[:, :1]):
        raise ConfigError(f"node {name!r}: {key} differs within a channel; here a channel has one value")
    own = torch.from_numpy(np.ascontiguousarray(flat[:, 0])).float()
    return own[0] if bool((own == own[0]).all()) else own
