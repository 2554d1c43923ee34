"""adLIF layers with the conventions of ``torch.nn.LSTM``; ops/cells/adlif.py."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from typing_extensions import Unpack

from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.lstm import Conventions
from spikeseq.nn.normed_kind import NormedKind
from spikeseq.nn.recurrent import Recurrent
from spikeseq.ops.cells.adlif import AdLIFParams, AdLIFState, AdLIFStep
from spikeseq.ops.reference import MaskedStep, Step
from spikeseq.ops.spike import clamp_through

Form = Literal["forward", "symplectic"]
Bounds = tuple[float, float]
COUPLING = 120.0  # factor of p and q in the symplectic form


def _factors(shortest: float, longest: float) -> Bounds:
    """Factors per element of time constants in elements."""
    return math.exp(-1 / shortest), math.exp(-1 / longest)


# ranges of alpha, beta, p, q, to which they are clamped and from which they are drawn; those of the sources
BOUNDS: dict[str, tuple[Bounds, Bounds, Bounds, Bounds]] = {
    "forward": (_factors(5, 25), _factors(30, 120), (-1.0, 1.0), (0.0, 2.0)),
    "symplectic": (_factors(5, 25), _factors(60, 300), (0.0, 1.0), (0.0, 2.0)),
}
NAMES = ("alpha", "beta", "p", "q")


@dataclass(frozen=True)
class AdLIFKind(NormedKind):
    """adLIF neurons."""

    form: Form = "forward"
    recurrent: bool = True
    gates: ClassVar[int] = 1
    state_type: ClassVar[Any] = AdLIFState
    spikes: ClassVar[bool] = True

    def has_recurrence(self) -> bool:
        """Whether there is a recurrent weight."""
        return self.recurrent

    def step(self) -> Step | MaskedStep:
        """Return the pure step."""
        return AdLIFStep(self.form == "symplectic")

    def shapes(self, width: int, hidden: int, bias: bool) -> dict[str, tuple[int, ...]]:
        """Weights and bias, and ``alpha``, ``beta``, ``p``, ``q [H]``."""
        return {**super().shapes(width, hidden, bias), **dict.fromkeys(NAMES, (hidden,))}

    def initialize(self, name: str, value: Tensor, hidden: int) -> None:
        """As every normalised kind; ``alpha`` to ``q`` evenly from their ranges."""
        if name in NAMES:
            nn.init.uniform_(value, *BOUNDS[self.form][NAMES.index(name)])
        else:
            super().initialize(name, value, hidden)

    def params(self, values: Mapping[str, Tensor]) -> Any:
        """Parameters within their ranges, batch axis added."""
        limited = [clamp_through(values[n], *b).unsqueeze(0) for n, b in zip(NAMES, BOUNDS[self.form], strict=True)]
        scale = COUPLING if self.form == "symplectic" else 1.0
        return AdLIFParams(limited[0], limited[1], scale * limited[2], scale * limited[3])

    def prepare(self, x: Tensor, values: Mapping[str, Tensor], training: bool) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Leave self-connections out of U."""
        if not self.recurrent:
            return x, values
        u = values["weight_hh"]
        return x, {**values, "weight_hh": u - torch.diag(torch.diagonal(u))}

    def enter(self, state: tuple[Tensor, ...]) -> Any:
        """Public state of one layer -> state of the scan."""
        return AdLIFState(*state)


class AdLIF(Recurrent):
    """Adaptive LIF neurons with recurrence; ops/cells/adlif.py.

    form        "forward" (Bittar & Garner 2022) or "symplectic" (SE-adLIF, Baronig et al. 2025)
    recurrent   whether spikes come back through ``weight_hh`` (its diagonal is never used)
    batch_norm  of the input product (nn/normalize.py); there is one bias, ``bias_ih``
    Beside the weights: ``alpha``, ``beta``, ``p``, ``q_l{k} [H]``, learned, clamped to the ranges of the sources.
    State: AdLIFState(spikes, u, w), zeros at the start (the sources draw it at random, or learn it).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        form: Form = "forward",
        recurrent: bool = True,
        batch_norm: bool = True,
        **conventions: Unpack[Conventions],
    ) -> None:
        kind = AdLIFKind(batch_norm, check_form(form), recurrent)
        super().__init__(kind, input_size, hidden_size, num_layers, **conventions)


def check_form(form: str) -> Form:
    """Return ``form`` if it is one of the two."""
    if form not in BOUNDS:
        raise ConfigError(f"form={form!r}: {nearest(str(form), BOUNDS)}")
    return form  # type: ignore[return-value]
