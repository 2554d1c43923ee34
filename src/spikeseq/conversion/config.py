"""What a conversion should give: one dataclass, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.encoding import InputCode, input_encoding
from spikeseq.shapes import check_max_packet, check_time_steps

CHOICES = {
    "scheme": ("grid", "streams"),
    "neuron": ("if", "lif"),
    "shift": ("optimal", "none"),
    "stage": ("hard", "quantized", "spiking"),
    "thresholds": ("calibrated", "fixed"),
}


@dataclass(frozen=True)
class ConvertConfig:
    """Settings of :func:`spikeseq.convert`.

    time_steps: T, SNN time steps for each element of the sequence: a power of two up to 16
    scheme: "grid" equals the quantised LSTM of the same T; "streams" has binary gates and must be trained (S1)
    neuron: of the gates: "if", or "lif" (streams only)
    leak: first leak of LIF gates, factor per time step in [0, 1]
    shift: "optimal" adds the shift that makes the conversion error smallest; "none" for comparison
    max_packet: most spikes of a unit in one time step; None for no limit (exact), 1 for strict unit spikes
    stage: how far to go: "hard" (clipped lines), "quantized" (T levels, for training) or "spiking"
    input_encoding: how the first layer forms W x: "direct", "int8" (8-bit input and weights) or "delta" (changes as spikes)
    input_levels: steps from 0 to the largest value of a feature; None for 127 (int8) or 16 (delta)
    thresholds: "calibrated" for each channel from calibration data, or "fixed" (4 for gates, 1 for g) without data
    samples: preactivations of a channel to keep from the calibration data
    """

    time_steps: int = 2
    scheme: Literal["grid", "streams"] = "grid"
    neuron: Literal["if", "lif"] = "if"
    leak: float = 0.9
    shift: Literal["optimal", "none"] = "optimal"
    max_packet: int | None = None
    stage: Literal["hard", "quantized", "spiking"] = "spiking"
    thresholds: Literal["calibrated", "fixed"] = "calibrated"
    input_encoding: InputCode = "direct"
    input_levels: int | None = None
    samples: int = 4096

    def __post_init__(self) -> None:
        check_time_steps(self.time_steps)
        check_max_packet(self.max_packet)
        input_encoding(self.input_encoding, self.input_levels)
        if self.input_encoding != "direct" and self.stage == "hard":
            raise ConfigError(
                f'input_encoding={self.input_encoding!r} with stage="hard": a hard LSTM takes values as they are'
            )
        for name, valid in CHOICES.items():
            value = getattr(self, name)
            if value not in valid:
                raise ConfigError(f"{name}={value!r}: {nearest(str(value), valid)}")
        if self.neuron == "lif" and self.scheme == "grid":
            raise ConfigError('neuron="lif" with scheme="grid": the grid is exact for IF only; pass scheme="streams"')
        if not 0 <= self.leak <= 1:
            raise ConfigError(f"leak={self.leak!r}: a factor per time step from 0 to 1; 1 means no leak")
        if self.samples < 1:
            raise ConfigError(f"samples={self.samples!r}: keep at least one preactivation")

    @property
    def level_shift(self) -> float:
        """The shift in levels: 1/2 or 0."""
        return 0.5 if self.shift == "optimal" else 0.0
