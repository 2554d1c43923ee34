r"""Counting rules of neurons without recurrent weights and of their readout.

Per sequence element and unit; the weights before the neurons are counted where they stand (dense.py), a spike there as a row
of additions::

    IF         neuron updates 2 (current, reset)                comparisons 1
    LIF        neuron updates 1 (reset)                         comparisons 1   leak: 1 element-wise MAC, which adds the current
               a leak that the audit takes for shifts, a sum of d signed powers of two: no MAC, d neuron updates in its place
    CubaLIF    as LIF, and its current's leak in the same way
    GradedLIF  neuron updates |k| (resets)  comparisons 2 T, of a gate T    leak: as LIF; with leak 0 no membrane, and no reset
    Integrator neuron updates 1;  normalised by length: 1 element-wise MAC for each row and unit

A reset to zero adds nothing. Thresholds and leaks of channels are words in memory, those of a whole layer are constants.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from spikeseq.energy.counts import LayerCount
from spikeseq.energy.recurrent import elements_of
from spikeseq.energy.registry import Call, register
from spikeseq.nn.cuba import CubaLIF
from spikeseq.nn.graded_lif import GradedLIF
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.observe import Seen
from spikeseq.nn.readout import Integrator
from spikeseq.ops.dyadic import leak_operations


@register(LIF, IF, CubaLIF)
def neurons(module: LIF | IF | CubaLIF, call: Call) -> list[LayerCount]:
    """Each call of a layer of neurons."""
    return [_neurons(module, call.name, seen) for seen in call.seen if seen.module is module]


def _neurons(module: LIF | IF | CubaLIF, name: str, seen: Seen) -> LayerCount:
    elements, units = elements_of(seen), float(seen.output.shape[-1])
    spikes = float(seen.output.sum())
    leaks = module.effective().leak.detach().flatten()
    fields, channels = 1, len(leaks)  # of the state
    if isinstance(module, CubaLIF):
        fields, leaks = 2, torch.cat([leaks, module.current_leak.detach().clamp(0, 1).flatten()])
    products, additions = leak_operations(leaks)
    updates = elements * units
    each = updates / channels  # units of a channel, over all elements
    macs, resets = each * products, updates * (module.step.reset == "subtract")
    return LayerCount(
        name, macs=macs, elementwise=macs, neuron_updates=each * additions + resets, comparisons=updates, spikes=spikes,
        weight_reads=0.0 if module.channels is None else updates + macs, state_reads=(1 + fields) * updates,
        state_writes=fields * updates + spikes, spike_state_accesses=spikes, elements=elements, recurrent=True,
        weight_words=float(sum(p.numel() for p in module.parameters())), state_words=fields * units,
    )  # fmt: skip


@register(GradedLIF)
def graded_neurons(module: GradedLIF, call: Call) -> list[LayerCount]:
    """Each call of a layer of neurons with graded spikes: a reset for each unit spike, one word of memory for a packet."""
    return [_graded(module, call.name, seen) for seen in call.seen if seen.module is module]


def _graded(module: GradedLIF, name: str, seen: Seen) -> LayerCount:
    elements, units = elements_of(seen), float(seen.output.shape[-1])
    k = seen.output.detach().double().abs() * module.levels
    leaks = module.effective().leak.detach().flatten()
    products, additions = leak_operations(leaks)
    updates = elements * units
    macs = updates / len(leaks) * products
    keeps = (leaks > 0).double()
    resets = float((k * (keeps if len(leaks) == 1 else keeps.repeat_interleave(k.shape[-1] // len(leaks)))).sum())
    remembered = updates * float(keeps.mean())
    return LayerCount(
        name, macs=macs, elementwise=macs, neuron_updates=updates / len(leaks) * additions + resets, spikes=float(k.sum()),
        comparisons=updates * module.levels * (1 if module.gate else 2),
        weight_reads=0.0 if module.channels is None else updates + macs, state_reads=updates + remembered,
        state_writes=remembered + float((k > 0).sum()), spike_state_accesses=float((k > 0).sum()), elements=elements,
        recurrent=True, weight_words=float(sum(p.numel() for p in module.parameters())), state_words=units,
    )  # fmt: skip


@register(Integrator)
def integrator(module: Integrator, call: Call) -> list[LayerCount]:
    """One addition for each element and unit; a division for each row where the length is divided by."""
    x, lengths = call.argument(0, "x"), call.argument(2, "lengths")
    units = float(call.output[1].v[0].numel() if call.output[0].dim() > 1 else call.output[0].numel())
    rows = float(call.output[0].numel()) / units
    elements = _elements(x, lengths, rows, module.batch_first)
    products = rows * units if module.normalise == "length" else 0.0
    return [
        LayerCount(
            call.name, macs=products, elementwise=products, neuron_updates=elements * units,
            state_reads=2 * elements * units, state_writes=elements * units, elements=elements, recurrent=True,
            state_words=units,
        )
    ]  # fmt: skip


def _elements(x: Tensor | PackedSequence, lengths: object, rows: float, batch_first: bool) -> float:
    """Elements that are there."""
    if isinstance(x, PackedSequence):
        return float(x.data.shape[0])
    if lengths is not None:
        return float(torch.as_tensor(lengths).sum())
    return rows * float(x.shape[1 if batch_first and x.dim() > 2 else 0])
