r"""The metrics of NeuroBench under its names, also for the recurrent layers that it cannot measure.

Per sample (row of the batch), biases left out::

    Effective_MACs, Effective_ACs   pairs of a nonzero input and a nonzero weight; ACs where all inputs of the layer's call
                                    are spikes
    Dense                           the same with every input and weight taken for nonzero
    ActivationSparsity              zeros / values, over all activation layers, elements and time steps
    ConnectionSparsity              zero weights / weights, rounded to 4 decimals, biases of recurrent layers among them
    Footprint                       bytes of parameters and buffers

Where NeuroBench takes packets of spikes (k > 1, and k / T after averaging) for MACs, this counts k ACs: that is what an
accumulate-only machine does with them. On binary and ternary spikes and on analog values the two agree.
Source: Yik et al., "The neurobench framework", Nature Communications 16 (2025), arXiv:2304.04640; neurobench 2.3.0.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.energy.currents import unit_of
from spikeseq.energy.dense import spike_counts
from spikeseq.energy.recurrent import changes
from spikeseq.energy.registry import counted
from spikeseq.energy.synops import inputs_of, several
from spikeseq.errors import ConversionError, DataError
from spikeseq.nn.kinds import GridKind
from spikeseq.nn.level_kinds import LevelGatedKind
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.mode import evaluating
from spikeseq.nn.normed_kind import NormedKind
from spikeseq.nn.observe import Seen, observing
from spikeseq.nn.readout import Integrator
from spikeseq.nn.recurrent import Recurrent

WEIGHTLESS = LIF | IF | Integrator  # no synaptic operations of their own
ACTIVATIONS = (nn.ReLU, nn.Sigmoid, nn.Tanh, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.Hardtanh)


class _Totals:
    """Sums over the run."""

    def __init__(self, time_steps: int) -> None:
        self.time_steps, self.samples = time_steps, 0
        self.macs = self.acs = self.dense = self.zeros = self.values = 0.0

    def synapses(self, effective: float, dense: float, spikes: bool) -> None:
        self.dense += dense
        if spikes:
            self.acs += effective
        else:
            self.macs += effective

    def activations(self, values: Tensor) -> None:
        self.zeros += float((values == 0).sum())
        self.values += float(values.numel())


def neurobench(
    model: nn.Module, batches: Any, activations: tuple[type[nn.Module], ...] = ()
) -> dict[str, float | dict[str, float]]:
    """Run a model over batches (as ``energy.count`` takes them; batch first) and return NeuroBench's metrics.

    activations  further module types whose output (the first of a tuple) counts as activations, e.g. another library's neurons
    Raises ConversionError for a layer with weights that NeuroBench has no definition for, DataError for no batch.
    """
    layers = counted(model)
    for name, module in layers.items():
        if not isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.LSTM | nn.GRU | Recurrent | WEIGHTLESS):
            raise ConversionError(f"module {name!r} ({type(module).__name__}) has no synaptic operations in NeuroBench")
    steps = max((m.kind.time_steps for m in model.modules() if isinstance(m, Recurrent)), default=1)
    totals = _Totals(steps)
    hooks = [module.register_forward_hook(_synapses(totals), with_kwargs=True) for module in layers.values()]
    neurons = (m for m in model.modules() if isinstance(m, (*ACTIVATIONS, *activations)))
    hooks += [m.register_forward_hook(_neurons(totals)) for m in neurons]
    try:
        with evaluating(model), torch.no_grad(), observing() as seen:
            for batch in several(batches):
                args, kwargs = inputs_of(batch)
                totals.samples += _rows(args[0] if args else next(iter(kwargs.values())))
                model(*args, **kwargs)
        for s in seen:
            _pass(totals, s)
    finally:
        for hook in hooks:
            hook.remove()
    if not totals.samples:
        raise DataError("batches is empty: pass at least one batch")
    operations = {"Effective_MACs": totals.macs, "Effective_ACs": totals.acs, "Dense": totals.dense}
    stored = [*model.parameters(), *model.buffers()]
    return {
        "Footprint": float(sum(p.numel() * p.element_size() for p in stored)),
        "ConnectionSparsity": _connection_sparsity(layers),
        "ActivationSparsity": totals.zeros / totals.values if totals.values else 0.0,
        "SynapticOperations": {name: value / totals.samples for name, value in operations.items()},
    }


def _rows(x: Any) -> int:
    return int(x.batch_sizes[0]) if isinstance(x, PackedSequence) else int(x.shape[0])


def _neurons(totals: _Totals) -> Any:
    def see(module: nn.Module, args: Any, output: Any) -> None:
        totals.activations(output[0] if isinstance(output, tuple) else output)

    return see


def _synapses(totals: _Totals) -> Any:
    def see(module: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        x: Any = args[0] if args else kwargs.get("input")
        if isinstance(module, nn.LSTM | nn.GRU):
            _fused(totals, module, x)
        elif isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
            k = spike_counts(x, totals.time_steps)
            effective = _through(module, (x != 0) if k is None else k, module.weight != 0)
            totals.synapses(
                effective, _through(module, torch.ones_like(x), torch.ones_like(module.weight)), k is not None
            )

    return see


def _through(module: nn.Module, x: Tensor, weight: Tensor) -> float:
    """Sum over all connections of a layer of ``x`` times ``weight``."""
    x, weight = x.double(), weight.double()
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        return float(module._conv_forward(x, weight, None).sum())
    return _through_rows(x, weight)


def _through_rows(x: Tensor, weight: Tensor) -> float:
    """The same for a matrix ``[G, I]``."""
    return float((x.double().reshape(-1, x.shape[-1]).sum(0) @ weight.double().sum(0)).sum())


def _fused(totals: _Totals, module: nn.LSTM | nn.GRU, x: Any) -> None:
    """``nn.LSTM`` and ``nn.GRU``: inside, every value counts as nonzero; element-wise products are operations."""
    x = x.data if isinstance(x, PackedSequence) else x
    elements = float(x.shape[:-1].numel())
    for name, value in module.named_parameters():
        if name.startswith("weight"):
            nonzero = float((value != 0).sum())
            first = name.startswith("weight_ih_l0")
            effective = _through_rows(x != 0, value != 0) if first else elements * nonzero
            totals.synapses(effective, elements * value.numel(), False)
    products = elements * 3 * module.hidden_size * module.num_layers * (1 + module.bidirectional)
    totals.synapses(products, products, False)


def _pass(totals: _Totals, seen: Seen) -> None:
    """One pass of one of our layers: its activations; of a recurrent one ``W x``, ``U h[n-1]`` and the gates' products."""
    layer = seen.module
    totals.activations(seen.output if seen.mask is None else seen.output[_mask_like(seen)])
    if not isinstance(layer, Recurrent):
        return
    kind, values = layer.kind, layer.part(seen.part)
    before = torch.cat([seen.first.unsqueeze(0), seen.output[:-1]])
    spiking = isinstance(kind, GridKind)
    valid = 1.0 if seen.mask is None else seen.mask.view(len(before), *(1,) * (before.dim() - 3), *seen.mask.shape[1:])
    first = seen.part.startswith("l0")
    delta = isinstance(kind, GridKind | LevelGatedKind) and first and kind.encoding.code == "delta"
    x = changes(seen) if delta else seen.x * valid
    levels = 1 if spiking else kind.time_steps  # what one of our other spiking layers transmits is k / T
    products = [(x, values["weight_ih"], delta or (spiking and not first), 1 if first else levels)]
    if "weight_hh" in values:
        products.append((before * valid, values["weight_hh"], spiking, levels))
    for x, weight, packets, steps in products:
        k = x.abs() if packets else spike_counts(x, steps)
        effective = _through_rows((x != 0) if k is None else k, weight != 0)
        rows = float(x.shape[:-1].numel()) if seen.mask is None else float(seen.mask.sum()) * x.shape[1:-2].numel()
        totals.synapses(effective, rows * weight.numel(), k is not None)
    if not spiking:
        elements = float(seen.mask.sum()) if seen.mask is not None else float(before.shape[0] * before.shape[-2])
        each = unit_of(kind).products if isinstance(kind, NormedKind) else 3
        totals.synapses(elements * each * layer.hidden_size, elements * each * layer.hidden_size, False)


def _mask_like(seen: Seen) -> Tensor:
    assert seen.mask is not None
    lead = seen.output.dim() - 3
    mask = seen.mask.view(seen.mask.shape[0], *(1,) * lead, *seen.mask.shape[1:])
    return mask.expand(seen.output.shape)


def _connection_sparsity(layers: dict[str, nn.Module]) -> float:
    """Zero weights of all layers; NeuroBench takes the biases of recurrent layers in, those of the others not."""
    zeros = numbers = 0
    for module in layers.values():
        recurrent = not isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)
        for name, value in module.named_parameters():
            if name.startswith("weight") or (recurrent and name.startswith("bias")):
                zeros, numbers = zeros + int((value == 0).sum()), numbers + value.numel()
    return round(zeros / numbers, 4) if numbers else 0.0
