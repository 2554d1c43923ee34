r"""Counting rules of what only translation networks have; nn/translation. Linear, LIF and LSTM layers have theirs elsewhere.

For queries of L elements, S source elements that are there, width E, in one sentence::

    Attention "softmax"  MACs L S (E + E_w)        q k and a w, of width E_w; exponentials are not counted, in favour of floats
    Attention "shift"    ACs  (pairs of spikes of a query and a key that meet)
                            + (unit spikes of the values that have a weight); comparisons: 2 for each value of q and k,
                              2 LEVELS for each of w, and those of the shifter
    GradedLinear         ACs  O sum |k|;  comparisons 2 T for each input;  without levels as a Linear
    GatedSum             of spikes: 1 comparison each, and an addition where both spike, of graded ones |k_a| k_b: each unit
                         spike with each;  of values 2 MACs each
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from spikeseq.energy.counts import LayerCount
from spikeseq.energy.dense import linear, spike_counts
from spikeseq.energy.registry import Call, register
from spikeseq.nn.translation.attention import LEVELS, REACH, SMALLEST, Attention
from spikeseq.nn.translation.block import GatedSum
from spikeseq.nn.translation.graded import GradedLinear, graded, unit_spikes


@register(GradedLinear)
def graded_linear(module: GradedLinear, call: Call) -> list[LayerCount]:
    """Additions for each unit spike."""
    if not module.levels:
        return linear(module, call)
    x, outputs = call.argument(0, "input"), float(module.out_features)
    k = unit_spikes(x, module.levels, module.reach)
    rows, spikes = float(x.shape[:-1].numel()), float(k.sum())
    biases = 0.0 if module.bias is None else outputs
    acs, events, sent = spikes * outputs, float((k > 0).sum()) * outputs, float((k > 0).sum())
    return [
        LayerCount(
            call.name, acs=acs, spike_acs=acs, spikes=spikes, comparisons=2 * module.levels * float(x.numel()),
            weight_reads=events + rows * biases, state_reads=events + sent, state_writes=events + rows * outputs,
            spike_weight_reads=events, spike_state_accesses=2 * events + sent, elements=rows,
            weight_words=float(module.weight.numel()) + biases, state_words=outputs + module.in_features,
        )
    ]  # fmt: skip


@register(Attention)
def attention(module: Attention, call: Call) -> list[LayerCount]:
    """Scores, weights and contexts of the source's tokens that are there."""
    query, key, value, there = (call.argument(i, n) for i, n in enumerate(("query", "key", "value", "there")))
    width, wide = float(query.shape[2]), float(value.shape[2])
    rows, sources = float(query.shape[:2].numel()), float(there.sum())
    pairs = sources * float(query.shape[1])
    sizes: dict[str, Any] = {"elements": rows, "state_words": (sources / len(query) + 1) * (width + wide)}
    reads: dict[str, Any] = {
        "state_reads": pairs * (width + wide) + float(query.numel()),
        "state_writes": pairs + rows * wide,
    }
    if module.mode == "softmax":
        return [LayerCount(call.name, macs=pairs * (width + wide), **reads, **sizes)]
    adds = _meeting(graded(query, 1), graded(key, 1), there) + _weighted(call.output[1], value, there)
    made = 2 * (float(query.numel()) + sources * (width + LEVELS * wide)) + pairs * 2 * SMALLEST
    return [LayerCount(call.name, acs=adds, spike_acs=adds, comparisons=made, **reads, **sizes)]


def _meeting(query: Tensor, key: Tensor, there: Tensor) -> float:
    """Pairs of a spike of a query and a spike of a key at the same place."""
    return float((query.abs().sum(1) * (key.abs() * there[..., None]).sum(1)).sum())


def _weighted(weights: Tensor, value: Tensor, there: Tensor) -> float:
    """Unit spikes of values, once for each weight that is not 0."""
    spikes = unit_spikes(value, LEVELS, REACH).sum(-1) * there  # [B, S]
    return float(((weights > 0).sum(1) * spikes).sum())


@register(GatedSum)
def gated_sum(module: GatedSum, call: Call) -> list[LayerCount]:
    """An addition where both populations spike; two products for values."""
    _, a, b = (call.argument(i, n) for i, n in enumerate(("r", "a", "b")))
    values, channels = float(a.numel()), float(a.shape[-1])
    sizes: dict[str, Any] = {"elements": values / channels, "weight_words": channels, "state_words": channels}
    steps = call.time_steps
    if module.sigmoid or (k_a := spike_counts(a, steps)) is None or (k_b := spike_counts(b, steps)) is None:
        traffic: dict[str, Any] = {"weight_reads": values, "state_reads": 3 * values, "state_writes": values}
        return [LayerCount(call.name, macs=2 * values, elementwise=2 * values, **traffic, **sizes)]
    pairs, both = k_a * k_b, (k_a > 0) & (k_b > 0)
    met = float(both.sum())
    few: dict[str, Any] = {"weight_reads": met, "state_reads": met, "state_writes": met}
    return [LayerCount(call.name, comparisons=values, neuron_updates=float(pairs.sum()), **few, **sizes)]
