r"""LIF and IF neurons without recurrent weights: the membrane is the only memory.

One element; the equation stands in ops/neuron.py::

    v <- leak v + current;   s = H(v - threshold);   v <- v - threshold s        (reset "zero": v <- v (1 - s))

IF is leak = 1. The preactivation is the input current, nothing recurrent is added to it.

Source: Rathi & Roy, LITE-SNN, IEEE TCDS 16(6), 2024.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from spikeseq.ops.neuron import LIFParams, LIFState, Reset, lif_step
from spikeseq.ops.spike import Surrogate, Triangle


@dataclass(frozen=True)
class LIFStep:
    """One element of LIF neurons."""

    surrogate: Surrogate = field(default_factory=Triangle)
    reset: Reset = "subtract"
    output_is_state = False

    def __call__(self, preactivation: Tensor, state: LIFState, params: LIFParams) -> tuple[Tensor, LIFState]:
        """Current ``[B, H]``, state -> spikes ``{0, 1} [B, H]`` and the next state."""
        return lif_step(preactivation, state, params, self.surrogate, self.reset)
