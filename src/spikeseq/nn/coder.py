"""A sigma-delta output with its range: a learned parameter, or moving averages that training moves and evaluation keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spikeseq.errors import ConfigError, nearest
from spikeseq.ops.cells.current import Body, CurrentState, CurrentStep, TrackedState, TrackedStep
from spikeseq.ops.sigma_delta import SMALLEST, SigmaDelta, sigma_delta, tracked_range
from spikeseq.ops.spike import clamp_through

RANGES = ("ema", "learned")
FIRST = 2.0  # of a learned range: about the largest current of a normalised layer

# runs a scan with a step and a start, given M as ``reach [1, 1]``
Scan = Callable[[Any, Any, Tensor], tuple[Tensor, Any]]


@dataclass(frozen=True)
class Coder:
    """A quantiser, and where M comes from; ``prefix`` of its parameter's name: "" (output) or "input_"."""

    quantizer: SigmaDelta
    learned: bool
    prefix: str = ""

    def extra(self) -> dict[str, Tensor]:
        """``reach [1]``, if it is learned."""
        return {f"{self.prefix}reach": torch.full((1,), FIRST)} if self.learned else {}

    def buffers(self) -> dict[str, Tensor]:
        """``range [2]``, the moving averages peak and weight, if it is tracked."""
        return {} if self.learned else {f"{self.prefix}range": torch.zeros(2)}

    def reach(self, values: Mapping[str, Tensor]) -> Tensor:
        """M ``[1, 1]`` as it is now."""
        if self.learned:
            return clamp_through(values[f"{self.prefix}reach"], SMALLEST).view(1, 1)
        return tracked_range(*values[f"{self.prefix}range"]).view(1, 1)

    def run(
        self,
        body: Body,
        start: CurrentState,
        values: Mapping[str, Tensor],
        mask: Tensor | None,
        training: bool,
        scan: Scan,
    ) -> tuple[Tensor, CurrentState]:
        """Scan with this output: y ``[L, B, H]`` and the state at the end. In training a tracked range moves along."""
        reach = self.reach(values)
        if self.learned or not training or start.y.shape[0] == 0:  # an empty batch has no range
            output, end = scan(CurrentStep(body, self.quantizer), start, reach)
            return output, end
        averages = values[f"{self.prefix}range"]
        peak, weight = averages.expand(start.y.shape[0], 2).split(1, 1)
        output, last = scan(TrackedStep(body, self.quantizer), TrackedState(*start, peak, weight), reach)
        row = 0 if mask is None else int(mask.sum(0).argmax())  # a row that was there to the end
        averages.copy_(torch.stack([last.peak[row, 0], last.weight[row, 0]]).detach())
        return output, CurrentState(*last[:3])


def coder(bits: int, threshold_levels: int, rounding: str, levels: str, range: str, prefix: str = "") -> Coder:
    """Check a layer's options and build its sigma-delta code. Raises ConfigError."""
    if range not in RANGES:
        raise ConfigError(f"range={range!r}: {nearest(str(range), RANGES)}")
    quantizer = sigma_delta(bits, threshold_levels, rounding, levels)
    if not quantizer.largest:
        raise ConfigError(
            f"{prefix}bits={bits}: with rounding={rounding!r} and {levels} levels it sends 0, whatever it gets; pass "
            "rounding='nearest'" + ("" if prefix else " or levels='unsigned'")
        )
    return Coder(quantizer, range == "learned", prefix)
