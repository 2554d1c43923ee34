"""Kinds of gated currents with clipped lines: hard, and T levels, which only accumulates; ops/cells/gated_current.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from spikeseq.nn.current_kinds import Variant
from spikeseq.nn.encoding import InputEncoding
from spikeseq.nn.kinds import SIGMOID_WIDTH, SMALLEST
from spikeseq.nn.normalize import folded
from spikeseq.nn.normed_kind import NormedKind, sequence_mask
from spikeseq.ops.cells.current import CurrentState, CurrentStep
from spikeseq.ops.cells.gated_current import HardGatedState, HardGatedStep, LevelGated, LevelParams
from spikeseq.ops.reference import MaskedStep, Step
from spikeseq.ops.sigma_delta import SigmaDelta
from spikeseq.ops.spike import clamp_through, round_half_away


@dataclass(frozen=True)
class HardGatedKind(NormedKind):
    """Gated current with clipped lines that transmits the current itself."""

    variant: Variant = "v2"
    signed: bool = False
    recurrent_dropout: float = 0.0
    gru_state: bool = False
    gates: ClassVar[int] = 2
    keeps: ClassVar[int] = 0
    state_type: ClassVar[Any] = HardGatedState

    def has_recurrence(self) -> bool:
        """Whether there is a recurrent weight."""
        return self.variant == "v2"

    def step(self) -> Step | MaskedStep:
        """Return the pure step."""
        return HardGatedStep(LevelGated(None, self.signed))

    def extra(self, hidden: int) -> dict[str, Tensor]:
        """``norm_gain``, ``threshold [H]`` of z and ``clip [H]`` of c."""
        ranges = {"threshold": torch.full((hidden,), SIGMOID_WIDTH), "clip": torch.ones(hidden)}
        return {**super().extra(hidden), **ranges}

    def params(self, values: Mapping[str, Tensor]) -> Any:
        """Positive ranges (gam up to 1, so that y reaches every h) and the dropout mask, with a batch axis."""
        threshold, clip = clamp_through(values["threshold"], SMALLEST), clamp_through(values["clip"], SMALLEST, 1.0)
        return LevelParams(threshold.new_ones(1, 1), values["keep"], threshold.unsqueeze(0), clip.unsqueeze(0))

    def prepare(self, x: Tensor, values: Mapping[str, Tensor], training: bool) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Draw the dropout mask."""
        hidden = values["threshold"].shape[0]
        return x, {**values, "keep": sequence_mask(x, hidden, self.recurrent_dropout, training)}

    def hand_out(self, state: Any) -> Any:
        """Hand out what was transmitted last, ``[D, B, H]``, where the state is to be that of an ``nn.GRU``."""
        return state[0] if self.gru_state else state

    def enter(self, state: tuple[Tensor, ...]) -> Any:
        """Public state of one layer -> state of the scan."""
        return HardGatedState(*state)


@dataclass(frozen=True)
class LevelGatedKind(HardGatedKind):
    """Gated current with T levels of z and of the output, sent as packets of up to T unit spikes."""

    time_steps: int = 2
    shift: float = 0.5
    encoding: InputEncoding = field(default_factory=InputEncoding)
    state_type: ClassVar[Any] = CurrentState
    spikes: ClassVar[bool] = True

    def step(self) -> Step | MaskedStep:
        """Return the pure step."""
        body = LevelGated(self.time_steps, self.signed, self.shift)
        return CurrentStep(body, SigmaDelta(self.time_steps, signed=self.signed))

    def input_extra(self, width: int) -> dict[str, Tensor]:
        """``input_step`` of an encoded input."""
        return self.encoding.extra(width)

    def prepare(self, x: Tensor, values: Mapping[str, Tensor], training: bool) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Encode the input where it is to be, and draw the dropout mask; what is encoded in evaluation holds the norm."""
        if "input_step" in values and "norm_gain" in values and not training:
            values = folded(values)  # before the rounding: a row of 8 bits times a gain would be one of full width
        x, weight = self.encoding.apply(x, values["weight_ih"], values)
        return super().prepare(x, {**values, "weight_ih": weight}, training)

    def take_in(self, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Take h alone, as of an ``nn.GRU``: the current starts there, and was sent to the nearest level."""
        if len(state) != 1:
            return state
        y = round_half_away(self.time_steps * state[0]) / self.time_steps
        return y, state[0], torch.zeros_like(y)

    def enter(self, state: tuple[Tensor, ...]) -> Any:
        """Public state of one layer -> state of the scan."""
        return CurrentState(*state)
