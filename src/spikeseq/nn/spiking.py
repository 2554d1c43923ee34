"""From a trained quantised layer to the spiking layer that equals it: same parameters, unrolled over T."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from spikeseq.nn.kinds import QuantizedKind
from spikeseq.nn.lstm import QuantizedLSTM, SpikingLSTM


def unroll(layer: QuantizedLSTM, max_packet: int | None = None) -> SpikingLSTM:
    """Return the spiking layer with copies of a quantised layer's parameters."""
    kind = layer.kind
    assert isinstance(kind, QuantizedKind)
    weight = layer.get_parameter("weight_ih_l0")
    spiking = SpikingLSTM(
        layer.input_size, layer.hidden_size, layer.num_layers, time_steps=kind.time_steps, max_packet=max_packet,
        shift=kind.shift, **kind.encoding.options(),
        bias=layer.bias, batch_first=layer.batch_first, dropout=layer.dropout,
        bidirectional=layer.bidirectional, device=weight.device, dtype=weight.dtype,
    )  # fmt: skip
    spiking.load_state_dict(layer.state_dict())
    return spiking.train(layer.training)


def as_spiking(model: nn.Module, max_packet: int | None = None) -> Any:
    """Return a copy of a model in which every QuantizedLSTM, also the model itself, is unrolled into a SpikingLSTM."""
    clone = copy.deepcopy(model)
    if isinstance(clone, QuantizedLSTM):
        return unroll(clone, max_packet)
    unrolled: dict[nn.Module, nn.Module] = {}
    for module in list(clone.modules()):
        for name, child in module._modules.items():  # named_children() leaves out a second name of the same layer
            if isinstance(child, QuantizedLSTM):
                setattr(module, name, unrolled.setdefault(child, unrolled.get(child) or unroll(child, max_packet)))
    return clone
