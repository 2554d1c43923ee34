r"""Current-based LIF (CubaLIF): a synaptic current that leaks, before a LIF neuron.

One element; the neuron's equation stands in ops/neuron.py::

    i <- current_leak i + x
    v <- leak v + i;   s = H(v - threshold);   v <- v - threshold s              (reset "zero": v <- v (1 - s))

    x   [B, H] input;   i  [B, H] synaptic current;   v  [B, H] membrane potential, all in one unit
    current_leak, leak  [1, H] factors per element in [0, 1]

Source: Gerstner et al., Neuronal Dynamics (2014), 1.3 and 3.1; the node CubaLIF of NIR (Pedersen et al. 2024,
doi:10.1038/s41467-024-52259-9) at a step of dt, with the new current.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from spikeseq.ops.neuron import LIFParams, LIFState, Reset, lif_step
from spikeseq.ops.spike import Surrogate, Triangle


class CubaState(NamedTuple):
    """State of current-based LIF neurons."""

    v: Tensor  # [..., H] membrane potential after the reset
    current: Tensor  # [..., H] synaptic current


class CubaParams(NamedTuple):
    """Parameters of current-based LIF neurons."""

    threshold: Tensor  # [H] or scalar, > 0, unit of the current
    leak: Tensor  # [H] or scalar, of the membrane
    current_leak: Tensor  # [H] or scalar, of the current


@dataclass(frozen=True)
class CubaStep:
    """One element of current-based LIF neurons."""

    surrogate: Surrogate = field(default_factory=Triangle)
    reset: Reset = "subtract"
    output_is_state = False

    def __call__(self, preactivation: Tensor, state: CubaState, params: CubaParams) -> tuple[Tensor, CubaState]:
        """Input ``[B, H]``, state -> spikes ``{0, 1} [B, H]`` and the next state."""
        current = params.current_leak * state.current + preactivation
        neuron = LIFParams(params.threshold, params.leak)
        spikes, end = lif_step(current, LIFState(state.v), neuron, self.surrogate, self.reset)
        return spikes, CubaState(end.v, current)
