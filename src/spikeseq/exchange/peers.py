r"""LIF networks of snnTorch and SpikingJelly, from their state_dict, as a Sequential that fires the same spikes.

In our words (v, leak, threshold; docs/exchange.md says the rest):

    snnTorch Leaky      v <- beta v + x, fires where v > threshold. By default (reset_delay) the reset comes one element later:
                        "subtract" then does not leak, another neuron than any here unless beta = 1; "zero" is the same.
                        Without delay a potential above the threshold after its reset (from 2 thresholds on) is not ours
    snnTorch Synaptic   with a current: CubaLIF of current_leak = alpha, leak = beta; "zero", late, also drops an input: refused
    SpikingJelly LIF    v <- v + (v_reset - v + x) / tau (decay_input) or v + (v_reset - v) / tau + x: leak = 1 - 1 / tau,
                        threshold v_threshold - v_reset, times tau where the input decays; fires where v >= v_threshold;
                        v_reset None is "subtract", a number "zero" (v is counted from v_reset)

Sources: snnTorch 1.0.0, _neurons/leaky.py, synaptic.py; SpikingJelly 2.0.0, activation_based/neuron/lif.py, plif.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.cuba import CubaLIF
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.sequential import Sequential
from spikeseq.ops.neuron import Reset

MECHANISMS: tuple[Reset, ...] = ("subtract", "zero")
Layer = str | nn.Module | tuple[str, Any]


@dataclass(frozen=True)
class JellyNeuron:
    """Arguments that a SpikingJelly neuron was built with: its state_dict does not hold them.

    tau  None: an IFNode; of a ParametricLIFNode it is read from the state_dict
    """

    tau: float | None = 2.0
    decay_input: bool = True
    v_threshold: float = 1.0
    v_reset: float | None = 0.0


def from_snntorch(state_dict: Mapping[str, Tensor], layers: Sequence[Layer], *, reset_delay: bool = True) -> Sequential:
    """Return a network of Linear, convolutions, Leaky and Synaptic as a Sequential (time first, evaluation mode).

    layers       in the order of their running: the name of a Linear, Leaky or Synaptic in ``state_dict``; for a convolution
                 ``(name, nn.Conv2d(..))`` with the module that takes the weights; a module without weights as it is
    reset_delay  as the neurons were built (True is snnTorch's default); the state_dict does not say

    Raises ConfigError naming the layer: not there, of another kind, or a neuron that fires other spikes than any here.
    """

    def neuron(name: str, own: Mapping[str, Tensor]) -> nn.Module:
        return _leaky(name, own, reset_delay)

    return _network(state_dict, layers, neuron)


def from_spikingjelly(state_dict: Mapping[str, Tensor], layers: Sequence[Layer]) -> Sequential:
    """Return a network of Linear, convolutions, IFNode, LIFNode and ParametricLIFNode as a Sequential, as from_snntorch.

    layers  as there; a neuron is ``(name, JellyNeuron(tau, decay_input, v_threshold, v_reset))``
    """
    return _network(state_dict, layers, None)


def _network(state: Mapping[str, Tensor], layers: Sequence[Layer], neuron: Any) -> Sequential:
    made: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.Module):
            if next(layer.parameters(), None) is not None:
                raise ConfigError(f"layer {type(layer).__name__} has weights: pass (name, module), to find them by")
            made.append(layer)
            continue
        name, given = layer if isinstance(layer, tuple) else (layer, None)
        own = {
            key.removeprefix(f"{name}."): value.detach() for key, value in state.items() if key.startswith(f"{name}.")
        }
        if isinstance(given, JellyNeuron):
            made.append(_jelly(name, own, given))
        elif not own:
            names = sorted({key.rpartition(".")[0] for key in state})
            raise ConfigError(f"layer {name!r} is not in the state_dict: {nearest(name, names)}")
        elif isinstance(given, nn.Module):
            made.append(_weights(name, given, own))
        elif own.get("weight", torch.zeros(())).dim() == 2:
            made.append(_weights(name, _linear(own), own))
        elif neuron is not None and "threshold" in own:
            made.append(neuron(name, own))
        else:
            raise ConfigError(f"layer {name!r} holds {sorted(own)}, which does not tell what it is: pass (name, ..)")
    return Sequential(*made).eval()


def _weights(name: str, module: nn.Module, own: Mapping[str, Tensor]) -> nn.Module:
    try:
        module.load_state_dict(dict(own))
    except RuntimeError as error:
        raise ConfigError(f"layer {name!r} does not fit {module}: {' '.join(str(error).split())}") from error
    return module


def _linear(own: Mapping[str, Tensor]) -> nn.Module:
    outputs, inputs = own["weight"].shape
    return nn.Linear(inputs, outputs, bias="bias" in own)


def _leaky(name: str, own: Mapping[str, Tensor], reset_delay: bool) -> nn.Module:
    """Leaky or Synaptic."""
    if "recurrent.weight" in own or "V" in own or "recurrent.V" in own or "beta" not in own:
        raise ConfigError(f"layer {name!r} holds {sorted(own)}: a Leaky or Synaptic without recurrence can be loaded")
    mechanism = int(own.get("reset_mechanism_val", torch.tensor(0)))
    if mechanism >= len(MECHANISMS):
        raise ConfigError(f"layer {name!r} has reset_mechanism='none': a neuron without reset is not to be had here")
    if bool((own.get("graded_spikes_factor", torch.ones(())) != 1).any()):
        raise ConfigError(f"layer {name!r} has graded_spikes_factor other than 1: take it into the weights behind it")
    beta, reset = own["beta"].clamp(0, 1), MECHANISMS[mechanism]
    late = reset_delay and (reset == "subtract" or "alpha" in own)
    if late and not (reset == "subtract" and bool((beta == 1).all())):
        raise ConfigError(
            f"layer {name!r} resets one element late (reset_delay=True), which is no neuron here: train with "
            "reset_delay=False (Leaky also with reset_mechanism='zero'), or pass reset_delay=False and train on "
            "(docs/exchange.md says how many spikes differ)"
        )
    return _neuron(name, reset, own["threshold"], beta, own["alpha"].clamp(0, 1) if "alpha" in own else None)


def _jelly(name: str, own: Mapping[str, Tensor], given: JellyNeuron) -> nn.Module:
    """IFNode, LIFNode, or ParametricLIFNode, which holds w, 1 / tau = sigmoid(w)."""
    reset: Reset = "subtract" if given.v_reset is None else "zero"
    threshold = torch.tensor(given.v_threshold - (given.v_reset or 0.0))
    if "w" not in own and given.tau is None:
        return _neuron(name, reset, threshold, None)
    if "w" not in own and not (given.tau or 0) > 1:
        raise ConfigError(f"layer {name!r} has tau={given.tau!r}: pass more than 1, or None for an IFNode")
    rate = torch.sigmoid(own["w"]) if "w" in own else torch.tensor(1 / (given.tau or 1.0))
    return _neuron(name, reset, threshold / rate if given.decay_input else threshold, 1 - rate)


def _neuron(
    name: str, reset: Reset, threshold: Tensor, leak: Tensor | None, current: Tensor | None = None
) -> nn.Module:
    """IF, LIF or CubaLIF with parameters of the layer or of each unit."""
    values = {"threshold": threshold, "leak": leak, "current_leak": current}
    given = {key: value.float().flatten() for key, value in values.items() if value is not None}
    if not bool((given["threshold"] > 0).all()):
        raise ConfigError(f"layer {name!r} has a threshold of 0 or less")
    sizes = {v.numel() for v in given.values()} - {1}
    if len(sizes) > 1:
        raise ConfigError(f"layer {name!r} has parameters of {sorted(sizes)} units: they must be one number")
    channels = sizes.pop() if sizes else None
    kind: Any = IF if leak is None else LIF if current is None else CubaLIF
    made: nn.Module = kind(channels, reset=reset)
    with torch.no_grad():
        for key, value in given.items():
            own = made.get_parameter(key)
            own.copy_(value.expand(own.shape) if channels else value[0])
    return made
