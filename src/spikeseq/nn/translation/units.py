"""What stands between the convolutions of a translation network: neurons with a membrane, or functions without memory.

activation    units N of a block             what its two populations make
"lif", "if"   LIF or IF                      N(A) N(B) in {0, 1}: A and B
"relu"        max(0, x)                      N(A) N(B)
"graded_lif"  graded spikes, with a sign     N(A) G(B), G: gates of as many levels; each unit spike with each
"glu"         x as it is                     A sigmoid(B)  (Gehring et al. 2017)

"lif" and "if" are the spiking twins of "relu", "graded_lif" is that of "glu".
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.graded_lif import RANGE, GradedLIF
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.sequence import without_padding

GRADED = "graded_lif"
SPIKING: dict[str, Any] = {"lif": LIF, "if": IF, GRADED: GradedLIF}
ACTIVATIONS = (*SPIKING, "relu", "glu")


def check_activation(activation: str, options: dict[str, Any]) -> str:
    """Return it if it is one of ACTIVATIONS that takes these options."""
    if activation not in ACTIVATIONS:
        raise ConfigError(f"activation={activation!r}: {nearest(activation, ACTIVATIONS)}")
    if options and activation not in SPIKING:
        raise ConfigError(f"options={options}: activation {activation!r} has none; leave them out")
    return activation


class Units(nn.Module):
    """Currents ``[L, B, C]`` -> what the units send, and their state; None for units without memory."""

    def __init__(self, activation: str, channels: int, options: dict[str, Any]) -> None:
        super().__init__()
        self.neuron = SPIKING[activation](channels, **options) if activation in SPIKING else None
        self.rectify = activation == "relu"

    def forward(self, x: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """Padding sends 0."""
        if self.neuron is not None:
            sent, state = self.neuron(x, state, lengths)
            return sent, state
        return without_padding(torch.relu(x) if self.rectify else x, lengths), None


class Gates(nn.Module):
    """What two populations A and B send, ``[L, B, 2 C] -> [L, B, 2 C]``; "graded_lif": B are gates."""

    def __init__(self, activation: str, channels: int, options: dict[str, Any]) -> None:
        super().__init__()
        self.values = Units(activation, channels, options)
        own = {name: value for name, value in options.items() if name != "threshold"}  # that of the values
        self.gates = Units(activation, channels, {**own, "gate": True})

    def forward(self, x: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """As of Units, with a state for each population."""
        a, b = x.chunk(2, -1)
        before = state or (None, None)
        values, first = self.values(a, before[0], lengths)
        gates, second = self.gates(b, before[1], lengths)
        return torch.cat([values, gates], -1), (first, second)


def currents(inputs: int, outputs: int, gain: float) -> nn.Linear:
    """A product that gives currents of variance about 1, of values of variance 1 / gain^2."""
    made = nn.Linear(inputs, outputs)
    nn.init.normal_(made.weight, std=gain * inputs**-0.5)
    nn.init.zeros_(made.bias)
    return made


def gain_behind(activation: str, options: dict[str, Any]) -> float:
    """For :func:`currents` behind such units: binary spikes in a quarter of the elements, graded ones of v / V, or values."""
    if activation == GRADED:
        return float(options.get("threshold") or RANGE)
    return 2.0 if activation in SPIKING else 1.0
