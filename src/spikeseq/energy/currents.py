r"""Counting rules of synaptic currents and adLIF neurons.

Per sequence element, H units, I inputs, G rows of weights for each unit (2 gated, 1 else); ``nnz`` counts what is not 0::

    W of an input as it is    G H I MACs (int8: 8-bit ones)
    W of multi-bit values     G H nnz low MACs: a coded input, or the outputs of the layer underneath
    U of the outputs          G H nnz(y[n-1]) low MACs        v2: this layer's own outputs, at the element before
    W, U of k/T and spikes    G H |k| ACs: a packet of k unit spikes
    W of a delta-coded input  G H |k[n] - k[n-1]| ACs, and G H to add the running sum

    each unit          products               gated adds        comparisons         neuron updates
      gated            2 z h, (1-z) c                           4 (+ 1 with th)     2 acc, twice
      gated, T levels                         2 (log2 T + 1)    T + 5               3 h, acc twice
      gated, hard      2 z h, (1-z) c                           4
      leaky            1 leak syn                               3 (+ 1 with th)     2 acc, twice
      adLIF            3 alpha u, beta w, p u                   1                   3 reset, -w, q s
    each coded input                                            3                   2 acc, twice

Scales that fold into weights (batch norm, the range M, 1 - alpha) are no operations; a gate's sigmoid is not counted, as for
the LSTM. The published count is another one: published.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from spikeseq.energy.counts import LayerCount
from spikeseq.energy.dense import few_bits, spike_counts
from spikeseq.energy.recurrent import added, changes, elements_of, heard_again
from spikeseq.energy.registry import Call, register
from spikeseq.nn.adlif import AdLIF, AdLIFKind
from spikeseq.nn.coder import Coder
from spikeseq.nn.current_kinds import CurrentKind, GatedKind
from spikeseq.nn.gated_current import GatedCurrent, HardGatedCurrent, LeakyCurrent, SpikingGatedCurrent
from spikeseq.nn.level_kinds import HardGatedKind, LevelGatedKind
from spikeseq.nn.normed_kind import NormedKind
from spikeseq.nn.observe import Seen


class Sent(NamedTuple):
    """Values that meet a weight matrix."""

    units: Tensor  # [L, *lead, I] additions, or products (1), for each weight
    bits: int | None  # of a product; None: additions


class Unit(NamedTuple):
    """Operations of one unit at one element, and the words it needs."""

    products: int
    gated_adds: int
    comparisons: int
    updates: int
    constants: int  # weights beside W, U and bias
    states: int  # read and written at each element, accumulators left out


@register(GatedCurrent, LeakyCurrent, SpikingGatedCurrent, HardGatedCurrent, AdLIF)
def currents(module: Any, call: Call) -> list[LayerCount]:
    """Each pass (layer and direction) of one of these layers."""
    found = []
    for seen in call.seen:
        name, sent = f"{call.name}.{seen.part}".lstrip("."), below(module.kind, seen)
        made = _count(name, module, seen, sent)
        if sent is not None and sent.bits is None and seen.part.startswith("l0") and _code(module.kind) == "direct":
            made = replace(made, analog=_count(name, module, seen, None))  # another batch may hold no spikes
        found.append(made)
    return found


def below(kind: NormedKind, seen: Seen) -> Sent | None:
    """What the input weights meet; None for analog values."""
    if not seen.part.startswith("l0"):
        return transmitted(kind, seen.x)
    if isinstance(kind, CurrentKind) and kind.input_coder:
        return _multi_bit(kind.input_coder, seen.x)
    k = changes(seen) if _code(kind) == "delta" else spike_counts(seen.x) if _code(kind) == "direct" else None
    return None if k is None else Sent(k, None)


def transmitted(kind: NormedKind, values: Tensor) -> Sent | None:
    """How values that a layer of this kind transmits meet a weight matrix."""
    if isinstance(kind, CurrentKind):
        return _multi_bit(kind.coder, values)
    return Sent((values * kind.time_steps).abs(), None) if kind.spikes else None


def unit_of(kind: NormedKind) -> Unit:
    """Operations of one unit; the table above."""
    steps = kind.time_steps
    if isinstance(kind, LevelGatedKind):
        return Unit(0, 2 * steps.bit_length(), steps + 5, 3, 2, 2)
    if isinstance(kind, HardGatedKind):
        return Unit(2, 0, 4, 0, 2, 1)
    if isinstance(kind, AdLIFKind):
        return Unit(3, 0, 1, 3, 4, 2)
    assert isinstance(kind, CurrentKind)
    dead = 1 if kind.coder.quantizer.threshold_levels else 0
    return Unit(2, 0, 4 + dead, 2, 0, 2) if isinstance(kind, GatedKind) else Unit(1, 0, 3 + dead, 2, 1, 2)


def _multi_bit(coder: Coder, values: Tensor) -> Sent:
    return Sent((values != 0).to(values.dtype), few_bits(coder.quantizer.largest))


def _code(kind: NormedKind) -> str:
    return kind.encoding.code if isinstance(kind, LevelGatedKind) else "direct"


def _count(name: str, module: Any, seen: Seen, sent: Sent | None) -> LayerCount:
    kind: NormedKind = module.kind
    hidden, width, elements = seen.output.shape[-1], seen.x.shape[-1], elements_of(seen)
    fan_out, unit = kind.gates * hidden, unit_of(kind)
    biased = module.bias or kind.batch_norm
    own = transmitted(kind, seen.output)
    totals: dict[str, Any] = {
        "macs": unit.products * hidden, "elementwise": unit.products * hidden, "gated_adds": unit.gated_adds * hidden,
        "comparisons": unit.comparisons * hidden, "neuron_updates": unit.updates * hidden,
        "weight_reads": unit.constants * hidden + biased * fan_out,
        "state_reads": fan_out + unit.states * hidden, "state_writes": fan_out + unit.states * hidden,
    }  # fmt: skip
    totals = {field: elements * value for field, value in totals.items()}
    parts = [_input(kind, seen, sent, fan_out, elements)]
    words = width * fan_out + unit.constants * hidden + biased * fan_out
    if kind.has_recurrence():
        words += hidden * fan_out
        parts.append(_recurrent(kind, seen, own, fan_out, elements))
    if own is not None:
        written = float((own.units > 0).sum())  # addresses of what is sent
        parts.append({"state_writes": written, "spike_state_accesses": written})
    for part in parts:
        for field, value in part.items():
            totals[field] = totals.get(field, 0.0) + value
    return LayerCount(
        name, **totals, spikes=0.0 if own is None else float(own.units.sum()), elements=elements, recurrent=True,
        weight_words=float(words), state_words=float(fan_out + unit.states * hidden + hidden + width),
    )  # fmt: skip


def _input(kind: NormedKind, seen: Seen, sent: Sent | None, fan_out: int, elements: float) -> dict[str, float]:
    """The product with W, and coding the input of the first layer."""
    width = seen.x.shape[-1]
    if sent is None:
        found: dict[str, float] = {"macs": fan_out * width, "weight_reads": fan_out * width, "state_reads": width}
        if _code(kind) == "int8":
            found |= {"int8_macs": fan_out * width, "comparisons": width}
        return {field: elements * value for field, value in found.items()}
    found = arrived(fan_out, float(sent.units.sum()), float((sent.units > 0).sum()), sent.bits)
    if not seen.part.startswith("l0"):
        return found
    found |= {field: 0.0 for field in found if field.startswith("spike_")}  # no unit of the network causes them
    if isinstance(kind, CurrentKind) and kind.input_coder:
        found |= {"comparisons": elements * 3 * width, "neuron_updates": elements * 2 * width}
        found["state_reads"] += elements * 2 * width  # the input and its residual
        found["state_writes"] = found.get("state_writes", 0.0) + elements * width
    elif _code(kind) == "delta":
        found |= {"comparisons": elements * width, "neuron_updates": elements * 2 * width}
        found["acs"] += elements * fan_out
        found["state_reads"] += elements * fan_out
    return found


def _recurrent(kind: NormedKind, seen: Seen, own: Sent | None, fan_out: int, elements: float) -> dict[str, float]:
    """The product with U: of what was sent at the element before; dense where h itself is transmitted."""
    hidden = seen.output.shape[-1]
    if own is None:
        return {"macs": elements * fan_out * hidden, "weight_reads": elements * fan_out * hidden}
    first = transmitted(kind, seen.first)
    assert first is not None
    units = heard_again(own.units, first.units, seen.mask)
    return arrived(fan_out, units, heard_again(own.units > 0, first.units > 0, seen.mask), own.bits)


def arrived(fan_out: int, units: float, events: float, bits: int | None) -> dict[str, float]:
    """Rows of ``fan_out`` weights that ``events`` messages add to accumulators, as they are or multiplied."""
    found = added(fan_out, units, events)
    if bits is None:
        return found
    low = found.pop("acs")
    found["spike_acs"] = 0.0
    return {**found, "macs": low, "low_macs": low, "low_bits": low * bits}
