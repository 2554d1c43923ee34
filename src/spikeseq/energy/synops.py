"""Count the operations of a model from the values that really occur while it runs; rules: dense.py, recurrent.py."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.energy.counts import Counts, LayerCount, merged
from spikeseq.energy.dense import few_bits
from spikeseq.energy.registry import Call, Code, Window, counted, rule_of
from spikeseq.errors import DataError
from spikeseq.nn.conv import SpikingConv1d, SpikingConv2d
from spikeseq.nn.current_kinds import CurrentKind
from spikeseq.nn.graded_lif import GradedLIF
from spikeseq.nn.kinds import GridKind, QuantizedKind
from spikeseq.nn.mode import evaluating
from spikeseq.nn.neurons import Neurons
from spikeseq.nn.observe import observing
from spikeseq.nn.recurrent import Recurrent


def count(model: nn.Module, batches: Any) -> Counts:
    """Run a model, in evaluation mode, over one batch or an iterable of batches and count.

    batches  a tensor or PackedSequence; a mapping of keyword arguments; or an iterable of batches, of such mappings or
             of (input, target) pairs whose target is ignored
    Raises ConversionError for a layer with weights and no rule, DataError when there is no batch or nothing in it.
    """
    layers = counted(model)
    found: list[LayerCount] = []
    with evaluating(model):
        for batch in several(batches):
            found.extend(_run(model, batch, layers))
    totals = merged(found)
    if not totals:
        raise DataError("batches is empty, or the model has no layer to count: pass at least one batch")
    # a readout may run on padding too, a recurrent layer counts the elements that are there
    sequence = [layer.elements for layer in totals.values() if layer.recurrent]
    elements = max(sequence or [layer.elements for layer in totals.values()])
    if not elements:
        raise DataError("batches hold no sequence element: pass at least one row of length 1")
    return Counts(tuple(totals.values()), elements)


def several(batches: Any) -> Iterable[Any]:
    """One batch alone, or the batches themselves."""
    one = isinstance(batches, Tensor | PackedSequence | Mapping)
    if not one and not isinstance(batches, Iterable):
        raise DataError(f"batches is {type(batches).__name__}: pass a tensor, or an iterable of batches")
    return [batches] if one else batches


def inputs_of(batch: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Positional and keyword arguments of a batch, a mapping, or an (input, target) pair."""
    if isinstance(batch, Mapping):
        return (), batch
    return (batch[0] if isinstance(batch, list | tuple) and not isinstance(batch, PackedSequence) else batch,), {}


def codes_of(model: nn.Module) -> Iterator[Code]:
    """The multi-bit codes of a model's layers, as they are now."""
    for layer in model.modules():
        if isinstance(layer, Recurrent) and isinstance(layer.kind, CurrentKind):
            quantizer = layer.kind.coder.quantizer
            for part, _ in layer._parts():
                unit = quantizer.unit(layer.kind.coder.reach(layer.values(part))).item()
                yield Code(unit, quantizer.largest, few_bits(quantizer.largest))


def _sends(module: nn.Module) -> int:
    """T of a layer that transmits k / T; 0 for one that hands on what it gets."""
    if isinstance(module, Recurrent):
        return module.kind.time_steps
    if isinstance(module, GradedLIF):
        return module.levels
    return 1 if isinstance(module, Neurons | SpikingConv1d | SpikingConv2d) else 0


def _together(pools: Sequence[Window]) -> Window:
    """One pooling behind the other is one over the windows of both."""
    return Window(math.prod(p.size for p in pools), math.prod(p.divisor for p in pools))


def window_of(pool: nn.AvgPool2d) -> Window:
    """What an average pooling adds up; with divisor_override=1 it is a sum."""
    kernel = pool.kernel_size
    size = kernel**2 if isinstance(kernel, int) else math.prod(kernel)
    return Window(size, pool.divisor_override or size)


def _run(model: nn.Module, batch: Any, layers: Mapping[str, nn.Module]) -> list[LayerCount]:
    """Counts of every call of every layer that has a rule."""
    found: list[LayerCount] = []
    kinds = [m.kind for m in model.modules() if isinstance(m, Recurrent)]
    steps = [1]  # T of the layer whose spikes arrive; events of the data are binary
    quantized = [isinstance(kind, GridKind) for kind in kinds if isinstance(kind, QuantizedKind)]
    dense = bool(quantized) and not any(quantized)
    codes = tuple(codes_of(model))
    starts: list[int] = []
    pools: list[Window] = []  # those that ran since the last counted layer
    hooks = [
        pool.register_forward_hook(lambda pool, args, output: pools.append(window_of(pool)))
        for pool in model.modules()
        if isinstance(pool, nn.AvgPool2d)
    ]
    with observing() as seen:
        for name, module in layers.items():

            def before(module: nn.Module, args: Any, kwargs: Any) -> None:
                starts.append(len(seen))

            def after(module: nn.Module, args: Any, kwargs: Any, output: Any, name: str = name) -> None:
                rule = rule_of(module)
                assert rule is not None
                own, window = tuple(seen[starts.pop() :]), _together(pools)
                pools.clear()
                found.extend(
                    rule(module, Call(name, args, kwargs, output, own, steps[-1], dense, codes, window, not found))
                )
                steps.append(_sends(module) or steps[-1])

            hooks.append(module.register_forward_pre_hook(before, with_kwargs=True))
            hooks.append(module.register_forward_hook(after, with_kwargs=True))
        try:
            args, kwargs = inputs_of(batch)
            with torch.no_grad():
                model(*args, **kwargs)
        finally:
            for hook in hooks:
                hook.remove()
    return found
