"""Operation counts as plain data: of one layer, of a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class LayerCount:
    """Operations of one layer (one direction), summed over all elements seen.

    macs            multiplications, each with its addition: of weights and element-wise. Among them:
      elementwise     element-wise products (gates, a leak)
      low_macs        products of a word with a small integer (an activation of few bits), ``low_bits`` their bits summed up
      int8_macs       8-bit products added up in 32 bits
    acs             additions of a weight row's word to an accumulator. Among them:
      spike_acs       those that a unit's spike causes; the rest is there without any
    gated_adds      shifted values added where a bit of a gate's count is set
    neuron_updates  additions to a neuron's own state or output that are none of the above
    comparisons     with a threshold or a clip range
    spikes          unit spikes sent; a packet of k counts k
    weight_reads    words of weights, biases and thresholds read;  weight_words: how many there are
    state_reads, state_writes  words of inputs, states, accumulators and spike addresses;  state_words: how many there are
    spike_weight_reads, spike_state_accesses  those among them that a unit's spike causes
    elements        sequence elements (for a layer behind the sequence: its rows)
    """

    name: str
    macs: float = 0.0
    elementwise: float = 0.0
    low_macs: float = 0.0
    low_bits: float = 0.0
    int8_macs: float = 0.0
    acs: float = 0.0
    spike_acs: float = 0.0
    gated_adds: float = 0.0
    neuron_updates: float = 0.0
    comparisons: float = 0.0
    spikes: float = 0.0
    weight_reads: float = 0.0
    state_reads: float = 0.0
    state_writes: float = 0.0
    spike_weight_reads: float = 0.0
    spike_state_accesses: float = 0.0
    elements: float = 0.0
    weight_words: float = 0.0
    state_words: float = 0.0
    recurrent: bool = False
    analog: LayerCount | None = (
        None  # of a call that saw spikes only: what it costs if others show that the layer multiplies
    )

    def plus(self, other: LayerCount) -> LayerCount:
        """Add the counts of another batch; a layer that multiplies in one of them does so in all."""
        if (self.analog is None) != (other.analog is None):
            return (self.analog or self).plus(other.analog or other)
        both = self.analog.plus(other.analog) if self.analog and other.analog else None
        return replace(self, analog=both, **{f: getattr(self, f) + getattr(other, f) for f in SUMMED})

    def without_spikes(self) -> LayerCount:
        """What is left if no unit spikes; input spikes stay."""
        reads = self.state_reads + self.state_writes - self.spike_state_accesses
        return replace(
            self, acs=self.acs - self.spike_acs, spike_acs=0.0, weight_reads=self.weight_reads - self.spike_weight_reads,
            spike_weight_reads=0.0, state_reads=reads, state_writes=0.0, spike_state_accesses=0.0,
        )  # fmt: skip


SUMMED = tuple(
    f.name for f in fields(LayerCount) if f.name not in ("name", "weight_words", "state_words", "recurrent", "analog")
)


@dataclass(frozen=True)
class Counts:
    """Operations of a model; ``elements`` = sequence elements (not padding) over all rows."""

    per_layer: tuple[LayerCount, ...]
    elements: float

    def per_element(self, field: str) -> float:
        """Return one of the summed fields of LayerCount over all layers, for each sequence element."""
        return float(sum(getattr(layer, field) for layer in self.per_layer) / self.elements)

    @property
    def macs_per_element(self) -> float:
        """Multiplications for each sequence element."""
        return self.per_element("macs")

    @property
    def acs_per_element(self) -> float:
        """Accumulates for each sequence element."""
        return self.per_element("acs")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        totals = {f"{f}_per_element": self.per_element(f) for f in SUMMED if f != "elements"}
        return {"per_layer": [asdict(layer) for layer in self.per_layer], "elements": self.elements, **totals}


def merged(counts: Iterable[LayerCount]) -> dict[str, LayerCount]:
    """Add up the counts of layers by name."""
    totals: dict[str, LayerCount] = {}
    for layer in counts:
        totals[layer.name] = totals[layer.name].plus(layer) if layer.name in totals else layer
    return {name: replace(layer, analog=None) for name, layer in totals.items()}
