r"""LIF neurons with graded spikes, along a sequence or element by element; equation in ops/cells/graded_lif.py.

They carry what an analog unit carries, in up to T unit spikes with a sign: the spiking twin of a gated linear unit has them
where it is linear, and gates of T levels where it has a sigmoid (nn/translation).
"""

from __future__ import annotations

from typing import Any

from spikeseq.nn.lif import NeuronCell, NeuronLayer
from spikeseq.ops.cells.graded_lif import GradedLIFStep
from spikeseq.shapes import check_flag, check_number, check_time_steps

RANGE, GATE_RANGE = (
    3.0,
    4.0,
)  # first thresholds: three deviations of a current of variance 1; the slope of the sigmoid at 0


class GradedLIF(NeuronLayer):
    """Neurons with graded spikes along a sequence, leak and threshold learned.

    channels     C: one threshold and one leak for each channel; None: one for the layer
    levels       T, unit spikes that an element can send: 1 (ternary), 2, 4, 8 or 16
    gate         send from 0 to T, half of them at v = 0, in place of -T to T
    leak         first value, factor per element in [0, 1]; 0: what was not sent is forgotten
    learn_leak   whether it is trained
    dyadic_leak  round it to 1 - 2^-k when it is used (gradient 1): its product is a shift and a subtraction
    threshold    V, first value, unit of the current; None: 3, of a gate 4
    learn_threshold  whether it is trained
    batch_first  whether x is ``[B, L, C, ..]``; never the state
    """

    def __init__(
        self,
        channels: int | None = None,
        *,
        levels: int = 4,
        gate: bool = False,
        leak: float = 0.0,
        learn_leak: bool = True,
        dyadic_leak: bool = False,
        threshold: float | None = None,
        learn_threshold: bool = True,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            channels, check_number("leak", leak), learn_leak, dyadic_leak, threshold=_first(threshold, gate),
            learn_threshold=learn_threshold, device=device, dtype=dtype,
        )  # fmt: skip
        self.levels, self.gate = check_time_steps(levels, "levels"), check_flag("gate", gate)
        self.element, self.batch_first = GradedLIFStep(self.levels, gate), batch_first

    def extra_repr(self) -> str:
        """Channels and levels."""
        return _shown(self)


class GradedLIFCell(NeuronCell):
    """GradedLIF, one element; arguments and parameters as of GradedLIF."""

    def __init__(
        self,
        channels: int | None = None,
        *,
        levels: int = 4,
        gate: bool = False,
        leak: float = 0.0,
        learn_leak: bool = True,
        dyadic_leak: bool = False,
        threshold: float | None = None,
        learn_threshold: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            channels, check_number("leak", leak), learn_leak, dyadic_leak, threshold=_first(threshold, gate),
            learn_threshold=learn_threshold, device=device, dtype=dtype,
        )  # fmt: skip
        self.levels, self.gate = check_time_steps(levels, "levels"), check_flag("gate", gate)
        self.element = GradedLIFStep(self.levels, gate)

    def extra_repr(self) -> str:
        """Channels and levels."""
        return _shown(self)


def _first(threshold: float | None, gate: bool) -> float:
    """The first threshold."""
    return (GATE_RANGE if gate else RANGE) if threshold is None else threshold


def _shown(neurons: GradedLIF | GradedLIFCell) -> str:
    parts = ["" if neurons.channels is None else str(neurons.channels), f"levels={neurons.levels}"]
    parts += ["gate=True" if neurons.gate else "", "dyadic_leak=True" if neurons.rounded else ""]
    return ", ".join(part for part in parts if part)
