"""What a conversion did, layer by layer: printed for people, plain values for records."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class PartReport:
    """One direction of one layer."""

    part: str  # "l0", "l0_reverse", ..
    threshold: dict[str, tuple[float, float, float]]  # gate -> least, mean and largest V
    clip: tuple[float, float, float]  # least, mean and largest gam
    clipped: dict[str, float]  # share of preactivations outside the linear range, by gate


@dataclass(frozen=True)
class LayerReport:
    """One converted module."""

    name: str
    source: str
    target: str
    spiking: tuple[str, ...] = ()  # activations that became spikes or counts
    analog: tuple[str, ...] = ()  # activations that stay analog and are never transmitted
    parts: tuple[PartReport, ...] = ()
    error: dict[str, float] = field(
        default_factory=dict
    )  # stage -> relative RMS error of the output against the source

    def __str__(self) -> str:
        lines = [f"{self.name or 'model'}: {self.source} -> {self.target}"]
        if self.spiking:
            analog = f"; analog, never transmitted: {', '.join(self.analog)}" if self.analog else ""
            lines.append(f"  spikes: {', '.join(self.spiking)}{analog}")
        for p in self.parts:
            ranges = "  ".join(f"V_{k} {_span(v)}" for k, v in p.threshold.items())
            lines.append(f"  {p.part}: {ranges}  gam {_span(p.clip)}")
            lines.append(f"  {p.part} clipped: " + "  ".join(f"{k} {v:.1%}" for k, v in p.clipped.items()))
        if self.error:
            stages = "  ".join(f"{stage} {value:.3f}" for stage, value in self.error.items())
            lines.append(f"  relative error of the output: {stages}")
        return "\n".join(lines)


@dataclass(frozen=True)
class ConversionReport:
    """All converted modules, and the error at the model's own output where that is a tensor."""

    layers: tuple[LayerReport, ...]
    output_error: float | None = None

    def __str__(self) -> str:
        end = [] if self.output_error is None else [f"model output: relative error {self.output_error:.3f}"]
        return "\n".join([*(str(layer) for layer in self.layers), *end])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def _span(values: tuple[float, float, float]) -> str:
    low, mean, high = values
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"
