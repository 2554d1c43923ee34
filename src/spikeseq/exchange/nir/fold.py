r"""Thresholds of channels into the weights before them: every layer of neurons then has the threshold 1.

With ``u = v / V`` a neuron of threshold V and current x is one of threshold 1 and current ``x / V``::

    v <- leak v + x,  fires at v >= V        the same as        u <- leak u + x / V,  fires at u >= 1

for both resets, and for CubaLIF, whose current is linear in x. Equal but for the rounding of the weights. snnTorch and
SpikingJelly import one threshold for a layer.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError
from spikeseq.nn.conv import SpikingConv2d
from spikeseq.nn.dropout import SequenceDropout
from spikeseq.nn.neurons import Neurons
from spikeseq.nn.sequential import Sequential

SILENT = (nn.Identity, nn.Dropout, SequenceDropout)  # in evaluation


def folded(model: Sequential) -> Sequential:
    """Return a copy whose neurons have the threshold 1. Raises ConfigError where no Linear or convolution stands before one."""
    made = copy.deepcopy(model)
    before: nn.Module | None = None
    for name, layer in made.named_children():
        if isinstance(layer, SpikingConv2d):
            _fold(layer.conv, layer.neuron, f"{name}.neuron")
            before = None
        elif isinstance(layer, Neurons):
            _fold(before, layer, name)
            before = None
        elif not isinstance(layer, SILENT):
            before = layer
    return made


def _fold(before: nn.Module | None, neurons: Neurons, name: str) -> None:
    if not isinstance(before, nn.Linear | nn.Conv1d | nn.Conv2d):
        raise ConfigError(
            f"module {name!r} ({type(neurons).__name__}) has no Linear or convolution right before it to take its thresholds; "
            "leave fold_thresholds out"
        )
    threshold = neurons.effective().threshold.detach().double()
    with torch.no_grad():
        for weight in (before.weight, before.bias):
            if weight is not None:
                weight.copy_(weight.double() / _along(threshold, weight))
        neurons.threshold.fill_(1.0)


def _along(threshold: Tensor, weight: Tensor) -> Tensor:
    """A value for each output of a weight, or one for all."""
    return threshold.view(-1, *(1,) * (weight.dim() - 1)) if threshold.dim() else threshold
