r"""Operations of recurrent networks, counted from the values that really occurred.

Per layer and sequence element, H units, I inputs, padding left out::

    float, hard, quantised LSTM    MACs 4 H (I + H) + 3 H          products f c, i g, o phi(c)
    GRU                            MACs 3 H (I + H) + 3 H          products r u, (1 - z) n, z h
    spiking LSTM, direct input     MACs 4 H I                      W x, once for each element
                                   ACs  4 H (spikes of h[n-1]) + 4 H T (adding W x to the membranes)
    spiking LSTM, spike input      ACs  4 H (input spikes + spikes of h[n-1])
    Linear                         MACs O I; where all it gets are k / T of a spiking layer, ACs O |k|

A packet of k spikes counts k adds. Gate products of a spiking layer are gated adds of shifted values; they are counted
apart as ``gated_adds`` (grid: at most 3 T for each unit and time step that computes gates; streams: 3). A layer with
weights and no rule is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.errors import ConversionError, DataError
from spikeseq.nn.kinds import GridKind, Kind, StreamKind
from spikeseq.nn.observe import Seen, observing
from spikeseq.nn.recurrent import Recurrent
from spikeseq.ops.cells.grid import coasts


@dataclass(frozen=True)
class LayerCount:
    """Operations of one layer (one direction), summed over all elements seen."""

    name: str
    macs: float = 0.0
    acs: float = 0.0
    gated_adds: float = 0.0
    spikes: float = 0.0
    elements: float = 0.0
    recurrent: bool = False

    def plus(self, other: LayerCount) -> LayerCount:
        """Add the counts of another batch."""
        fields = ("macs", "acs", "gated_adds", "spikes", "elements")
        return replace(self, **{f: getattr(self, f) + getattr(other, f) for f in fields})


@dataclass(frozen=True)
class Counts:
    """Operations of a model; ``elements`` = sequence elements (not padding) over all rows."""

    per_layer: tuple[LayerCount, ...]
    elements: float

    @property
    def macs_per_element(self) -> float:
        """Multiply-accumulates for each sequence element."""
        return sum(layer.macs for layer in self.per_layer) / self.elements

    @property
    def acs_per_element(self) -> float:
        """Accumulates for each sequence element."""
        return sum(layer.acs for layer in self.per_layer) / self.elements

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "macs_per_element": self.macs_per_element, "acs_per_element": self.acs_per_element}


def count(model: nn.Module, batches: Iterable[Any]) -> Counts:
    """Run a model over batches (or (input, target) pairs) and count.

    Raises ConversionError for a layer with weights and no rule, DataError when there is no batch.
    """
    _check_known(model)
    totals: dict[str, LayerCount] = {}
    names = {module: name for name, module in model.named_modules()}
    for batch in batches:
        for layer in _run(model, _inputs(batch), names):
            totals[layer.name] = totals[layer.name].plus(layer) if layer.name in totals else layer
    if not totals:
        raise DataError("batches is empty: pass at least one batch to count")
    layers = tuple(totals.values())
    # a readout may run on padding too, a recurrent layer counts the elements that are there
    sequence = [layer.elements for layer in layers if layer.recurrent]
    return Counts(layers, max(sequence or [layer.elements for layer in layers]))


def _inputs(batch: Any) -> Any:
    """The inputs of a batch or of an (input, target) pair."""
    return batch[0] if isinstance(batch, list | tuple) and not isinstance(batch, PackedSequence) else batch


KNOWN = (Recurrent, nn.LSTM, nn.GRU, nn.Linear)


def _check_known(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if not isinstance(module, KNOWN) and next(module.parameters(recurse=False), None) is not None:
            raise ConversionError(
                f"module {name or 'model'!r} ({type(module).__name__}) has weights and no counting rule"
            )


def _run(model: nn.Module, x: Any, names: dict[nn.Module, str]) -> list[LayerCount]:
    found: list[LayerCount] = []
    spiking_output = max((_spiking_steps(m) for m in model.modules()), default=0)

    def see(module: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        x = args[0] if args else kwargs["input"]
        if isinstance(module, nn.LSTM | nn.GRU):
            found.extend(_fused(module, names[module], x))
        elif isinstance(module, nn.Linear):
            found.append(_linear(module, names[module], x, spiking_output))

    hooks = [
        m.register_forward_hook(see, with_kwargs=True)
        for m in model.modules()
        if isinstance(m, nn.LSTM | nn.GRU | nn.Linear)
    ]
    try:
        with torch.no_grad(), observing() as seen:
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return [_recurrent(s, names[s.module]) for s in seen] + found


def _spiking_steps(module: nn.Module) -> int:
    """T of a spiking layer, 0 of any other module."""
    return module.kind.time_steps if isinstance(module, Recurrent) and isinstance(module.kind, GridKind) else 0


def _dense(kind_gates: int, width: int, hidden: int) -> float:
    return kind_gates * hidden * (width + hidden) + 3 * hidden


def _fused(module: nn.LSTM | nn.GRU, name: str, x: Tensor | PackedSequence) -> list[LayerCount]:
    gates = 4 if isinstance(module, nn.LSTM) else 3
    directions, hidden = 1 + module.bidirectional, module.hidden_size
    if isinstance(x, PackedSequence):
        x = x.data
    elements = float(x.shape[0] * x.shape[1]) if x.dim() == 3 else float(x.shape[0])
    counts = []
    for layer in range(module.num_layers):
        width = module.input_size if layer == 0 else hidden * directions
        for suffix in ("", "_reverse")[:directions]:
            macs = elements * _dense(gates, width, hidden)
            counts.append(
                LayerCount(f"{name}.l{layer}{suffix}".lstrip("."), macs=macs, elements=elements, recurrent=True)
            )
    return counts


def _recurrent(seen: Seen, name: str) -> LayerCount:
    """One pass of one of our layers."""
    kind: Kind = seen.module.kind  # type: ignore[assignment]
    hidden = seen.output.shape[-1]
    length, batch = seen.output.shape[0], seen.output.shape[-2]
    elements = float(seen.mask.sum()) if seen.mask is not None else float(length * batch)
    label = f"{name}.{seen.part}".lstrip(".")
    if not isinstance(kind, GridKind):
        return LayerCount(
            label, macs=elements * _dense(kind.gates, seen.x.shape[-1], hidden), elements=elements, recurrent=True
        )
    spikes = seen.output.abs()
    # a spike of element n is added at n + 1: those of each row's last element go to no later element of this layer
    acs = 4 * hidden * (float(spikes.sum()) - float(_last(spikes, seen.mask).sum()))
    macs = 0.0
    if seen.part.startswith("l0"):  # direct encoding
        macs = elements * 4 * hidden * seen.x.shape[-1]
        acs += elements * 4 * hidden * kind.time_steps
    else:
        acs += 4 * hidden * float(seen.x.abs().sum())
    speaking = sum(not coasts(t) for t in range(1, kind.time_steps + 1))
    gates_per_step = kind.time_steps if isinstance(kind, StreamKind) else kind.time_steps * speaking
    gated = elements * 3 * hidden * gates_per_step
    return LayerCount(label, macs, acs, gated, float(spikes.sum()), elements, recurrent=True)


def _last(spikes: Tensor, mask: Tensor | None) -> Tensor:
    """Spikes ``[T, B, H]`` of each row's last element."""
    if mask is None:
        return spikes[-1]
    index = mask.squeeze(-1).sum(0) - 1  # [B]
    return spikes[index, :, torch.arange(spikes.shape[2])]


def _linear(module: nn.Linear, name: str, x: Tensor, time_steps: int) -> LayerCount:
    rows = float(x.numel() // x.shape[-1])
    if not time_steps or not bool((x * time_steps == torch.round(x * time_steps)).all()):  # analog values multiply
        return LayerCount(name, macs=rows * module.in_features * module.out_features, elements=rows)
    return LayerCount(name, acs=float((x.abs() * time_steps).sum()) * module.out_features, elements=rows)
