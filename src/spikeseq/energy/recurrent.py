r"""Counting rules of this library's recurrent layers.

Per sequence element, H units, I inputs, T time steps, b = ceil(log2(T + 1)) bits::

    float, hard    dense: MACs as nn.LSTM and nn.GRU (dense.py)
    quantised      the same MACs; those with h and the gates (after the first layer: with the input) are b-bit
    spiking        W x of the first layer, once:  direct 4 H I MACs;  int8 4 H I 8-bit MACs;  spikes or delta: ACs 4 H sum |k|
                   4 H T ACs: adding W x + b, or b in a layer above, to the membranes
                   4 H ACs for each spike that comes from below or from h[n-1]
    each node (n, t), per unit:    gated adds     comparisons     neuron updates
      grid                         3 (log2 T + 1) 3 T + 5         3 (c, r, E)
      grid, a replica that coasts  0              1               2 (r, E)
      grid with max_packet                        2 more
      streams                      3              9               6 (three resets, c, m twice)
      LIF leak                     3 more element-wise MACs; a leak of d powers of two (ops/dyadic.py): d - 1 neuron
                                   updates in place of one

A packet of k spikes counts k adds but one access to memory: a row of 4 H weights, and every membrane read and written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from spikeseq.energy.counts import LayerCount
from spikeseq.energy.dense import dense_recurrent, few_bits, spike_counts, times
from spikeseq.energy.registry import Call, register
from spikeseq.nn.kinds import GridKind, HardKind, Kind, QuantizedKind, StreamKind
from spikeseq.nn.observe import Seen
from spikeseq.nn.recurrent import Recurrent
from spikeseq.ops.cells.grid import coasts
from spikeseq.ops.dyadic import leak_operations


@register(Recurrent)
def recurrent(module: Recurrent, call: Call) -> list[LayerCount]:
    """Each pass (layer and direction) of one of our layers."""
    found = []
    for seen in call.seen:
        name, kind = f"{call.name}.{seen.part}".lstrip("."), module.kind
        found.append(
            spiking(name, kind, seen, module.bias)
            if isinstance(kind, GridKind)
            else dense(name, kind, seen, module.bias)
        )
    return found


def elements_of(seen: Seen) -> float:
    """Sequence elements of a pass, padding left out."""
    return float(seen.mask.sum()) if seen.mask is not None else float(seen.output.shape[0] * seen.output.shape[-2])


def dense(name: str, kind: Kind, seen: Seen, bias: bool = True) -> LayerCount:
    """A layer that is computed as dense products."""
    width, hidden, elements = seen.x.shape[-1], seen.output.shape[-1], elements_of(seen)
    biases = 1 if kind.gates == 1 else 4  # a GRU has two for its candidate
    one = dense_recurrent(kind.gates, width, hidden, biases if bias else 0)
    words = one["weight_reads"]
    if isinstance(kind, HardKind):
        words += 4 * hidden  # ranges
        one |= {"comparisons": 10 * hidden, "weight_reads": words}
    if isinstance(kind, QuantizedKind):
        small = 4 * hidden * hidden + 3 * hidden
        if not seen.part.startswith("l0"):
            small += 4 * hidden * width
        one |= {"comparisons": (3 * kind.time_steps + 5) * hidden, "low_macs": small}
        one["low_bits"] = small * few_bits(kind.time_steps)
        if seen.part.startswith("l0") and kind.encoding.code == "int8":
            one["int8_macs"] = 4 * hidden * width
        elif seen.part.startswith("l0") and kind.encoding.code == "delta":  # whole numbers times weights of full width
            one["low_macs"] += 4 * hidden * width
            one["low_bits"] += 4 * hidden * width * few_bits(kind.encoding.levels)
    states = len(kind.state_type._fields)
    return LayerCount(
        name, **times(one, elements), elements=elements, weight_words=words, state_words=width + states * hidden,
        recurrent=True,
    )  # fmt: skip


def spiking(name: str, kind: GridKind, seen: Seen, bias: bool = True) -> LayerCount:
    """A layer that adds up rows of weights where spikes come."""
    first_layer, code = seen.part.startswith("l0"), kind.encoding.code
    if not first_layer:
        return _spiking(name, kind, seen, seen.x.abs(), bias)
    k = changes(seen) if code == "delta" else spike_counts(seen.x) if code == "direct" else None
    found = _spiking(name, kind, seen, k, bias)
    undecided = k is not None and code == "direct"
    return replace(found, analog=_spiking(name, kind, seen, None, bias)) if undecided else found


def _spiking(name: str, kind: GridKind, seen: Seen, k: Tensor | None, bias: bool) -> LayerCount:
    """The same for ``|k|`` of the spikes that come in, None for analog input."""
    sent = seen.output.abs()
    # a spike of element n is added at n + 1: those of each row's last element go to no later element of this layer,
    # those of a given state come from an earlier run
    first = seen.first.abs()
    heard, events = heard_again(sent, first, seen.mask), heard_again(sent > 0, first > 0, seen.mask)
    hidden, elements = sent.shape[-1], elements_of(seen)
    parts = [_nodes(kind, hidden, seen), _product(kind, seen, k, hidden, elements, bias)]
    totals = times(parts[0], elements)
    for field, value in [*parts[1].items(), *added(4 * hidden, heard, events).items()]:
        totals[field] = totals.get(field, 0.0) + value
    written = float((sent > 0).sum())  # addresses of what is sent
    totals["state_writes"] += written
    totals["spike_state_accesses"] += written
    steps, width = kind.time_steps, seen.x.shape[-1]
    return LayerCount(
        name, **totals, spikes=float(sent.sum()), elements=elements, recurrent=True,
        weight_words=float(4 * hidden * (width + hidden) + (8 if bias else 4) * hidden),
        state_words=float(2 * steps * hidden + 9 * hidden + width),
    )  # fmt: skip


def added(fan_out: int, spikes: float, events: float) -> dict[str, float]:
    """Spikes that arrive in ``events`` packets: rows of ``fan_out`` weights added to accumulators in memory."""
    return {
        "acs": fan_out * spikes, "spike_acs": fan_out * spikes, "weight_reads": fan_out * events,
        "state_reads": (fan_out + 1) * events, "state_writes": fan_out * events,
        "spike_weight_reads": fan_out * events, "spike_state_accesses": (2 * fan_out + 1) * events,
    }  # fmt: skip


def _product(
    kind: GridKind, seen: Seen, k: Tensor | None, hidden: int, elements: float, bias: bool
) -> dict[str, float]:
    """What comes from below: the input in its code, or the spikes of the layer underneath."""
    width, fan_out = seen.x.shape[-1], 4 * hidden
    if not seen.part.startswith("l0"):
        assert k is not None
        found = added(fan_out, float(k.sum()), float((k > 0).sum()))
        for field in ("acs", "weight_reads") if bias else ():
            found[field] += elements * fan_out * kind.time_steps  # the bias, at each time step
        return found
    found = {"acs": elements * fan_out * kind.time_steps, "weight_reads": elements * fan_out * bias}
    found["state_reads"] = elements * fan_out * kind.time_steps  # W x + b, at each time step
    code = kind.encoding.code
    if k is None:
        found |= {"macs": elements * fan_out * width, "state_writes": elements * fan_out}
        found["state_reads"] += elements * width
        found["weight_reads"] += elements * fan_out * width
        if code == "int8":
            found |= {"int8_macs": found["macs"], "comparisons": elements * width}
        return found
    sums = added(fan_out, float(k.sum()), float((k > 0).sum()))
    sums |= {field: 0.0 for field in sums if field.startswith("spike_")}  # no unit of the network causes them
    found |= {field: found.get(field, 0.0) + value for field, value in sums.items()}
    if code == "delta":  # x minus what was sent; round; add what is sent now
        found |= {"neuron_updates": elements * 2 * width, "comparisons": elements * width}
    return found


def changes(seen: Seen) -> Tensor:
    """``|k[n] - k[n-1]|`` of a delta-coded input, from 0 before the first element; 0 at padding.

    A layer's state does not hold the last k: a chunk of a sequence counts as a sequence that starts from 0.
    """
    changes = torch.diff(seen.x, dim=0, prepend=torch.zeros_like(seen.x[:1])).abs()
    if seen.mask is None:
        return changes
    return changes * seen.mask.view(seen.mask.shape[0], *(1,) * (changes.dim() - 3), *seen.mask.shape[1:])


def _nodes(kind: GridKind, hidden: int, seen: Seen) -> dict[str, float]:
    """Operations of the T nodes of one element that happen without any spike."""
    steps = kind.time_steps
    one: dict[str, Any]
    if isinstance(kind, StreamKind):
        products, additions = 0, 0
        if kind.leak < 1:  # else IF gates: 1, and not learned
            products, additions = leak_operations(
                torch.clamp(getattr(seen.module, f"leak_{seen.part}"), 0, 1), elsewhere=1
            )
        one = {"gated_adds": 3 * hidden, "comparisons": 9 * hidden, "neuron_updates": 6 * hidden + additions}
        one |= {"macs": products, "elementwise": products, "weight_reads": 4 * hidden + products}
        one |= {"state_reads": (4 + 3 + 2) * hidden, "state_writes": (4 + 3 + 2) * hidden}
        return {field: float(value * steps) for field, value in one.items()}
    silent = sum(coasts(t) for t in range(1, steps + 1))
    speaking = steps - silent
    per_unit = {
        "gated_adds": speaking * 3 * (steps.bit_length()),
        "comparisons": speaking * (3 * steps + 5) + silent + (2 * steps if kind.max_packet is not None else 0),
        "neuron_updates": speaking * 3 + silent * 2,
        "weight_reads": speaking * 4,
        "state_reads": steps * (4 + 1) + speaking,  # membranes, E; c
        "state_writes": steps * (4 + 1) + speaking,
    }
    return {field: float(value * hidden) for field, value in per_unit.items()}


def heard_again(sent: Tensor, first: Tensor, mask: Tensor | None) -> float:
    """Sum over what one pass transmits, ``[L, *lead, H]``, where a later element of its own layer hears it."""
    return float(first.sum() + sent.sum() - last_of(sent, mask).sum())


def last_of(values: Tensor, mask: Tensor | None) -> Tensor:
    """Values ``[L, *lead, H]`` of each row's last element; the row's axis first where there is a mask."""
    if mask is None:
        return values[-1]
    rows = mask.squeeze(-1).sum(0) - 1  # [B]
    return values.movedim(-2, 1)[rows, torch.arange(len(rows))]
