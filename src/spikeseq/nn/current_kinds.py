"""Kinds of synaptic currents with a multi-bit output: gated as published, and leaky; equations in ops/cells."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from spikeseq.nn.coder import Coder
from spikeseq.nn.kinds import Pass
from spikeseq.nn.normed_kind import NormedKind, sequence_mask
from spikeseq.ops.cells.current import Body, CurrentState, CurrentStep, Identity, ReachParams
from spikeseq.ops.cells.gated_current import Gated, GatedParams
from spikeseq.ops.cells.leaky_current import Leaky, LeakyParams
from spikeseq.ops.reference import MaskedStep, Step
from spikeseq.ops.scan import scan

Variant = Literal["v1", "v2"]


class CodedCurrentState(NamedTuple):
    """State of a current whose input goes through a sigma-delta code of its own."""

    y: Tensor  # [D, B, H] what was transmitted
    current: Tensor  # [D, B, H] synaptic current
    residual: Tensor  # [D, B, H] of the output
    input: Tensor  # [directions, B, I] residual of the input


@dataclass(frozen=True)
class CurrentKind(NormedKind):
    """A current with a multi-bit output whose range is learned or tracked."""

    coder: Coder = field(kw_only=True)
    input_coder: Coder | None = None
    spikes: ClassVar[bool] = True

    @property
    def state_type(self) -> Any:
        """Public state: one more field where the input is coded."""
        return CodedCurrentState if self.input_coder else CurrentState

    @property
    def input_state(self) -> bool:
        """Whether the first layer's input has a state of its own."""
        return self.input_coder is not None

    @abstractmethod
    def body(self) -> Body:
        """Return the body of the step."""

    def step(self) -> Step | MaskedStep:
        """Return the pure step."""
        return CurrentStep(self.body(), self.coder.quantizer)

    def extra(self, hidden: int) -> dict[str, Tensor]:
        """``norm_gain``, and ``reach [1]`` if it is learned."""
        return {**super().extra(hidden), **self.coder.extra()}

    def buffers(self, hidden: int) -> dict[str, Tensor]:
        """``norm_mean``, ``norm_var``, and ``range [2]`` if it is tracked."""
        return {**super().buffers(hidden), **self.coder.buffers()}

    def input_extra(self, width: int) -> dict[str, Tensor]:
        """``input_reach [1]`` of a coded input, if it is learned."""
        return self.input_coder.extra() if self.input_coder else {}

    def input_buffers(self) -> dict[str, Tensor]:
        """``input_range [2]`` of a coded input, if it is tracked."""
        return self.input_coder.buffers() if self.input_coder else {}

    def run(
        self, x: Tensor, values: Mapping[str, Tensor], state: tuple[Tensor, ...], mask: Tensor | None, training: bool
    ) -> Pass:
        """Run one direction of one layer: code the input where it is to be, drive, scan."""
        start, rest = CurrentState(*state[:3]), state[3:]
        if rest:
            x, rest = self._encode(x, values, rest[0], mask, training)
        x, ready = self.prepare(x, values, training)

        def along(step: Any, begin: Any, reach: Tensor) -> tuple[Tensor, Any]:
            return self.scanned(x, {**ready, "reach": reach}, begin, mask, training, step)

        output, end = self.coder.run(self.body(), start, values, mask, training, along)
        return Pass(x, output, (*end, *rest), start.y)

    def _encode(
        self, x: Tensor, values: Mapping[str, Tensor], residual: Tensor, mask: Tensor | None, training: bool
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Sigma-delta code of the input: ``x [L, B, I]``, residual ``[B, I]`` -> y and the residual at the end."""
        assert self.input_coder is not None

        def along(step: Any, begin: Any, reach: Tensor) -> tuple[Tensor, Any]:
            return scan(step, x, None, begin, ReachParams(reach), mask)

        start = CurrentState(torch.zeros_like(residual), torch.zeros_like(residual), residual)
        y, end = self.input_coder.run(Identity(), start, values, mask, training, along)
        return y, (end.residual,)


@dataclass(frozen=True)
class GatedKind(CurrentKind):
    """Gated current as published: v1 without, v2 with recurrent product."""

    variant: Variant = "v2"
    recurrent_dropout: float = 0.0
    gates: ClassVar[int] = 2
    keeps: ClassVar[int] = 0

    def has_recurrence(self) -> bool:
        """Whether there is a recurrent weight."""
        return self.variant == "v2"

    def body(self) -> Body:
        """Return the body of the step."""
        return Gated()

    def params(self, values: Mapping[str, Tensor]) -> Any:
        """Range and dropout mask."""
        return GatedParams(values["reach"], values["keep"])

    def prepare(self, x: Tensor, values: Mapping[str, Tensor], training: bool) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Draw the dropout mask."""
        hidden = values["weight_ih"].shape[0] // self.gates
        return x, {**values, "keep": sequence_mask(x, hidden, self.recurrent_dropout, training)}


@dataclass(frozen=True)
class LeakyKind(CurrentKind):
    """Leaky current, the conventional network; ``first_leak`` of every unit, before training."""

    first_leak: float = 1.0
    gates: ClassVar[int] = 1

    def has_recurrence(self) -> bool:
        """Whether there is a recurrent weight."""
        return False

    def body(self) -> Body:
        """Return the body of the step."""
        return Leaky()

    def extra(self, hidden: int) -> dict[str, Tensor]:
        """``norm_gain``, ``reach``, and ``leak [H]``."""
        return {**super().extra(hidden), "leak": torch.full((hidden,), self.first_leak)}

    def params(self, values: Mapping[str, Tensor]) -> Any:
        """Range and leak."""
        return LeakyParams(values["reach"], values["leak"].unsqueeze(0))
