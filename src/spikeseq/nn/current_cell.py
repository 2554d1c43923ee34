"""Single-element cells of synaptic currents and adLIF neurons; options as of the layers of the same name."""

from __future__ import annotations

from typing import Any

from spikeseq.nn.adlif import AdLIFKind, Form, check_form
from spikeseq.nn.cell import RecurrentCell
from spikeseq.nn.current_kinds import Variant
from spikeseq.nn.encoding import InputCode
from spikeseq.nn.gated_current import (
    Candidate,
    Levels,
    Range,
    gated_kind,
    hard_gated_kind,
    leaky_kind,
    level_gated_kind,
)
from spikeseq.ops.sigma_delta import Rounding


class GatedCurrentCell(RecurrentCell):
    """Gated current with multi-bit outputs, one element. In training, batch norm takes the statistics of the rows."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, variant: Variant = "v2", bits: int = 6,
        threshold_levels: int = 3, rounding: Rounding = "trunc", levels: Levels = "signed", range: Range = "ema",
        batch_norm: bool = True, recurrent_dropout: float = 0.0, input_bits: int | None = None, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        kind = gated_kind(
            variant, bits, threshold_levels, rounding, levels, range, batch_norm, recurrent_dropout, input_bits
        )
        super().__init__(kind, input_size, hidden_size, bias, device, dtype)


class LeakyCurrentCell(RecurrentCell):
    """Leaky current, one element."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, bits: int = 6, threshold_levels: int = 3,
        rounding: Rounding = "trunc", levels: Levels = "signed", range: Range = "ema", batch_norm: bool = True,
        input_bits: int | None = None, first_leak: float = 1.0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        kind = leaky_kind(bits, threshold_levels, rounding, levels, range, batch_norm, input_bits, first_leak)
        super().__init__(kind, input_size, hidden_size, bias, device, dtype)


class HardGatedCurrentCell(RecurrentCell):
    """Gated current with clipped lines, one element."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, variant: Variant = "v2",
        candidate: Candidate = "relu", batch_norm: bool = True, recurrent_dropout: float = 0.0, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        kind = hard_gated_kind(variant, candidate, batch_norm, recurrent_dropout)
        super().__init__(kind, input_size, hidden_size, bias, device, dtype)


class SpikingGatedCurrentCell(RecurrentCell):
    """Gated current with T levels, one element."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, variant: Variant = "v2", time_steps: int = 2,
        candidate: Candidate = "relu", shift: float = 0.5, batch_norm: bool = True, recurrent_dropout: float = 0.0,
        input_encoding: InputCode = "direct", input_levels: int | None = None, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        kind = level_gated_kind(
            variant, time_steps, candidate, shift, batch_norm, recurrent_dropout, input_encoding, input_levels
        )
        super().__init__(kind, input_size, hidden_size, bias, device, dtype)


class AdLIFCell(RecurrentCell):
    """Adaptive LIF neurons with recurrence, one element."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, form: Form = "forward", recurrent: bool = True,
        batch_norm: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            AdLIFKind(batch_norm, check_form(form), recurrent), input_size, hidden_size, bias, device, dtype
        )
