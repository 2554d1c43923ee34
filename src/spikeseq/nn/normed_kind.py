"""What kinds with a normalised drive share: one bias, a recurrent weight or none, their initial values, and how they run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spikeseq.nn.dropout import keep_mask
from spikeseq.nn.kinds import Kind, Pass
from spikeseq.nn.normalize import drive
from spikeseq.ops.scan import scan


def sequence_mask(x: Tensor, hidden: int, dropout: float, training: bool) -> Tensor:
    """Dropout mask ``[B, H]`` of a whole sequence ``x [L, B, I]``: 0 or 1 / (1 - p); ``[1, 1]`` of 1 where nothing drops."""
    if not (training and dropout):
        return x.new_ones(1, 1)
    return keep_mask(x, (x.shape[1], hidden), dropout)


@dataclass(frozen=True)
class NormedKind(Kind):
    """A kind whose input product may be batch normalised (nn/normalize.py): ``norm_gain``, ``norm_mean``, ``norm_var [G]``."""

    batch_norm: bool = True

    @abstractmethod
    def has_recurrence(self) -> bool:
        """Whether there is a recurrent weight."""

    def shapes(self, width: int, hidden: int, bias: bool) -> dict[str, tuple[int, ...]]:
        """``weight_ih [G, width]``, ``weight_hh [G, H]`` if recurrent, ``bias_ih [G]``: one bias, behind the norm."""
        found = super().shapes(width, hidden, bias)
        found.pop("bias_hh", None)
        return found if self.has_recurrence() else {name: shape for name, shape in found.items() if name != "weight_hh"}

    def initialize(self, name: str, value: Tensor, hidden: int) -> None:
        """W uniform by He et al. (2015), U orthogonal gate by gate with gain sqrt 2, bias 0."""
        if name == "weight_ih":
            nn.init.kaiming_uniform_(value)
        elif name == "weight_hh":
            for block in value.split(hidden):
                nn.init.orthogonal_(block, 2**0.5)
        else:
            nn.init.zeros_(value)

    def extra(self, hidden: int) -> dict[str, Tensor]:
        """``norm_gain [G]``."""
        return {"norm_gain": torch.ones(self.gates * hidden)} if self.batch_norm else {}

    def buffers(self, hidden: int) -> dict[str, Tensor]:
        """``norm_mean``, ``norm_var [G]``."""
        rows = self.gates * hidden
        return {"norm_mean": torch.zeros(rows), "norm_var": torch.ones(rows)} if self.batch_norm else {}

    def prepare(self, x: Tensor, values: Mapping[str, Tensor], training: bool) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What a kind does to its input and to the values of its parameters before the drive."""
        return x, values

    def scanned(
        self, x: Tensor, values: Mapping[str, Tensor], start: Any, mask: Tensor | None, training: bool, step: Any = None
    ) -> tuple[Tensor, Any]:
        """Drive and scan: ``x [L, B, I]``, state of the scan -> output ``[L, B, H]`` and the state of the scan at the end."""
        source = drive(x, values["weight_ih"], values, mask, training)
        return scan(step or self.step(), source, values.get("weight_hh"), start, self.params(values), mask)

    def run(
        self, x: Tensor, values: Mapping[str, Tensor], state: tuple[Tensor, ...], mask: Tensor | None, training: bool
    ) -> Pass:
        """Run one direction of one layer."""
        x, values = self.prepare(x, values, training)
        start = self.enter(state)
        output, end = self.scanned(x, values, start, mask, training)
        return Pass(x, output, self.leave(end), start[0])
