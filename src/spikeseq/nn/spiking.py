"""From a trained quantised layer to the spiking layer that equals it: same parameters, unrolled over T."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

from spikeseq.nn.kinds import QuantizedKind
from spikeseq.nn.lstm import QuantizedLSTM, SpikingLSTM

M = TypeVar("M", bound=nn.Module)


def unroll(layer: QuantizedLSTM, max_packet: int | None = None) -> SpikingLSTM:
    """Return the spiking layer with copies of a quantised layer's parameters."""
    kind = layer.kind
    assert isinstance(kind, QuantizedKind)
    weight = layer.get_parameter("weight_ih_l0")
    spiking = SpikingLSTM(
        layer.input_size, layer.hidden_size, layer.num_layers, time_steps=kind.time_steps, max_packet=max_packet,
        shift=kind.shift, bias=layer.bias, batch_first=layer.batch_first, dropout=layer.dropout,
        bidirectional=layer.bidirectional,
    )  # fmt: skip
    spiking.load_state_dict(layer.state_dict())
    return spiking.to(weight.device, weight.dtype).train(layer.training)


def as_spiking(model: M, max_packet: int | None = None) -> M:
    """Return a copy of a model in which every QuantizedLSTM is unrolled into a SpikingLSTM."""
    clone = copy.deepcopy(model)
    for module in list(clone.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, QuantizedLSTM):
                setattr(module, name, unroll(child, max_packet))
    return clone
