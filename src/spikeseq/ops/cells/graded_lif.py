r"""Leaky integrate-and-fire neurons that send up to T unit spikes an element, with a sign: graded spikes k / T.

One element, in this order::

    v <- leak v + current
    k <- clip(R(T v / V), -T, T)               signed;  a gate: k <- clip(R(T (v / V + 1/2)), 0, T), a hard sigmoid of T levels
    s <- k / T
    v <- v - V s                               a gate: v <- v - V (s - 1/2);  what was not sent stays in the membrane

    v     membrane potential, in units of the current
    V     threshold, the range that T spikes cover: the j-th is sent from |v| = (j - 1/2) V / T, the shift of a signed target
    R     rounding, half away from zero

It is what T micro-steps of a neuron with threshold V / T and soft reset send when the element's current arrives in the first.
Backward, the slope of the clip. A product with weights is ``|k|`` additions and a shift. With leak 1 nothing is lost: sums of
what is sent follow the sums of the currents, as of a sigma-delta modulator.

Source: this project; T micro-steps for a word as in Rathi & Roy, LITE-SNN (2024), the shift as in Bu et al. (2022),
arXiv:2303.04347.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from spikeseq.ops.neuron import LIFParams, LIFState
from spikeseq.ops.spike import quantize_signed, quantize_unit


@dataclass(frozen=True)
class GradedLIFStep:
    """One element of neurons with graded spikes.

    levels  T, unit spikes that an element can send
    gate    whether they are gates, sending from 0 to T, half of them at v = 0
    """

    levels: int = 4
    gate: bool = False
    output_is_state = False

    def __call__(self, preactivation: Tensor, state: LIFState, params: LIFParams) -> tuple[Tensor, LIFState]:
        """Current ``[B, H]``, state -> graded spikes ``[B, H]`` in -1 .. 1 (gates: 0 .. 1) and the next state."""
        v = params.leak * state.v + preactivation
        u = v / params.threshold
        if self.gate:
            spikes = quantize_unit(u + 0.5, self.levels)
            told = spikes.detach() - 0.5
        else:
            spikes = quantize_signed(u, self.levels)
            told = spikes.detach()
        return spikes, LIFState(v - params.threshold * told)  # detached: a reset carries no error back
