r"""A spiking network beside the networks it is to replace, all from one count.

The same sizes run as float LSTM; beside a spiking LSTM also as hard LSTM and as matched quantised LSTM (gates and h of
ceil(log2(T + 1)) bits, dense products), beside others as GRU; beside a network for texts or pictures whose memory is the
membrane also as the same network of ReLU. With E the energy of each for an element::

    ratio        E(float LSTM) / E
    cap          MACs of the float LSTM / full-width MACs of the direct-encoded input: the gain if all else were free
    break-even   spikes for each unit and time step at which E(spiking) reaches another network's E: the part of
                 E(spiking) that spikes cause is proportional to their rate
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from spikeseq.energy.cost import Memory, PriceTable, price
from spikeseq.energy.counts import Counts
from spikeseq.energy.synops import count, several
from spikeseq.errors import ConfigError
from spikeseq.nn.graded_lif import GradedLIF
from spikeseq.nn.kinds import QuantizedKind
from spikeseq.nn.lstm import GRU, LSTM, HardLSTM, QuantizedLSTM
from spikeseq.nn.neurons import Neurons
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.spiking import as_spiking
from spikeseq.nn.text import TextClassifier
from spikeseq.nn.translation import Translator, twin
from spikeseq.nn.translation.graded import GradedLinear

MEMORIES: tuple[Memory, ...] = ("none", "sram")
FORMATS = ("fp32", "fp16", "int32", "int8")


@dataclass(frozen=True)
class Comparison:
    """Counts of a spiking network and of its dense counterparts, by label, on the same batches."""

    counts: dict[str, Counts]
    time_steps: int
    spike_rate: float  # unit spikes for each unit and time step
    cap: float | None  # None where the first layer multiplies nothing

    def energy(self, format: str, memory: Memory = "none", table: PriceTable | None = None) -> dict[str, float]:
        """PJ for each element, by label."""
        return {label: price(c, format, memory, table).pj_per_element for label, c in self.counts.items()}

    def break_even(
        self, against: str, format: str, memory: Memory = "none", table: PriceTable | None = None
    ) -> float | None:
        """Spike rate at which the spiking network costs what ``against`` costs; None if it does without any spike.

        None as well for multi-bit outputs, whose cost is products, not spikes.
        """
        if any(c.low_macs for c in self.counts["spiking"].per_layer):
            return None
        own = price(self.counts["spiking"], format, memory, table).pj_per_element
        quiet = price(_silent(self.counts["spiking"]), format, memory, table).pj_per_element
        other = price(self.counts[against], format, memory, table).pj_per_element
        if not self.spike_rate or own <= quiet or other <= quiet:
            return None
        return self.spike_rate * (other - quiet) / (own - quiet)


def has_counterparts(model: nn.Module) -> bool:
    """Whether :func:`compare` takes this model."""
    return _on_membranes(model) or any(isinstance(m, Recurrent) and _spikes(m) for m in model.modules())


def _on_membranes(model: nn.Module) -> bool:
    networks = isinstance(model, TextClassifier | PictureClassifier | Translator)
    return networks and any(isinstance(m, Neurons) for m in model.modules())


def compare(model: nn.Module, batches: Any) -> Comparison:
    """Count a spiking (or quantised) model and its float, hard and quantised counterparts of the same sizes.

    Raises ConfigError for a model without a quantised or spiking layer.
    """
    if isinstance(model, TextClassifier | PictureClassifier | Translator) and _on_membranes(model):
        return _with_twins(model, list(several(batches)))
    spiking = as_spiking(model)
    layers = [m for m in spiking.modules() if isinstance(m, Recurrent) and m.kind.spikes]
    if not layers:
        raise ConfigError("the model has no spiking or quantised layer; convert it first (spikeseq convert)")
    batches = list(several(batches))
    steps = max(layer.kind.time_steps for layer in layers)
    counts = {"LSTM": count(_dense(spiking, LSTM), batches)}
    if all(isinstance(layer.kind, QuantizedKind) for layer in layers):
        counts["hard LSTM"] = count(_dense(spiking, HardLSTM), batches)
        counts[f"{steps}-level LSTM"] = count(_dense(spiking, QuantizedLSTM, time_steps=steps), batches)
    else:
        counts["GRU"] = count(_dense(spiking, GRU), batches)
    counts["spiking"] = count(spiking, batches)
    own = counts["spiking"].per_layer
    nodes = sum(c.elements * _nodes(spiking, c.name) for c in own if c.recurrent)
    rate = sum(c.spikes for c in own) / nodes if nodes else 0.0
    first = sum(c.macs - c.elementwise - c.int8_macs - c.low_macs for c in counts["spiking"].per_layer if c.recurrent)
    total = sum(c.macs for c in counts["LSTM"].per_layer if c.recurrent)
    return Comparison(counts, steps, rate, total / first if first else None)


def _with_twins(model: TextClassifier | PictureClassifier | Translator, batches: list[Any]) -> Comparison:
    """The same network with gates, and with ReLU, beside its neurons."""
    twins: dict[str, nn.Module]
    if isinstance(model, Translator):
        twins = {label: twin(model, label.lower()) for label in ("LSTM", "GLU", "ReLU")}
    else:
        twins = {label: model.twin(label.lower()) for label in ("LSTM", "GRU", "ReLU")}
    spiking = count(model, batches)
    # of one sentence or picture all have the same elements; layers that run several times an element count them several times
    counts = {label: replace(count(network, batches), elements=spiking.elements) for label, network in twins.items()}
    counts["spiking"] = spiking
    own = spiking.per_layer
    total, first = (
        sum(c.macs - c.elementwise - c.int8_macs for c in counts[label].per_layer) for label in ("LSTM", "spiking")
    )
    senders = [(c, model.get_submodule(c.name)) for c in own]
    senders = [(c, layer) for c, layer in senders if isinstance(layer, Neurons | GradedLinear)]
    rate = sum(c.spikes for c, _ in senders) / sum(c.comparisons / _signs(layer) for c, layer in senders)
    steps = max((m.levels for m in model.modules() if isinstance(m, GradedLIF)), default=1)
    return Comparison(counts, steps, rate, total / first if first else None)


def _signs(layer: nn.Module) -> int:
    """Comparisons for each spike that could be sent: of graded spikes one for either sign."""
    return 2 if (isinstance(layer, GradedLIF) and not layer.gate) or isinstance(layer, GradedLinear) else 1


def _nodes(model: nn.Module, name: str) -> int:
    """H T of the layer that a count such as ``rnn.l0_reverse`` belongs to, 0 if it does not spike."""
    module = model.get_submodule(name.rpartition(".")[0])
    return module.hidden_size * module.kind.time_steps if isinstance(module, Recurrent) and _spikes(module) else 0


def _spikes(layer: Recurrent) -> bool:
    return layer.kind.spikes or isinstance(layer.kind, QuantizedKind)


def _dense(model: nn.Module, layer_type: Any, **options: Any) -> nn.Module:
    """A copy in which every spiking layer is a dense one of the same sizes (counts ask for sizes, not for weights)."""
    clone = copy.deepcopy(model)

    def made(layer: Recurrent) -> nn.Module:
        weight = layer.get_parameter("weight_ih_l0")
        dense: Recurrent = layer_type(
            layer.input_size, layer.hidden_size, layer.num_layers, bias=layer.bias, batch_first=layer.batch_first,
            bidirectional=layer.bidirectional, device=weight.device, dtype=weight.dtype, **options,
        )  # fmt: skip
        own = dense.state_dict()
        same = {k: v for k, v in layer.state_dict().items() if k in own and v.shape == own[k].shape}
        dense.load_state_dict({**own, **same})
        return dense

    if isinstance(clone, Recurrent) and _spikes(clone):
        return made(clone)
    for module in list(clone.modules()):
        for name, child in list(module._modules.items()):
            if isinstance(child, Recurrent) and _spikes(child):
                setattr(module, name, made(child))
    return clone


def _silent(counts: Counts) -> Counts:
    """The counts without anything that a spike causes."""
    return Counts(tuple(c.without_spikes() for c in counts.per_layer), counts.elements)


def rows(
    comparison: Comparison, formats: Sequence[str] = FORMATS, table: PriceTable | None = None
) -> list[dict[str, Any]]:
    """One plain row for each network: operations, and energy and ratio in every format, arithmetic and with memory."""
    made: list[dict[str, Any]] = [
        {"network": label, "macs": c.macs_per_element, "acs": c.acs_per_element}
        for label, c in comparison.counts.items()
    ]
    for memory in MEMORIES:
        for format in formats:
            energy = comparison.energy(format, memory, table)
            for row in made:
                pj = energy[row["network"]]
                row[f"{format}_{memory}_pj"] = pj
                row[f"{format}_{memory}_ratio"] = energy["LSTM"] / pj
    return made
