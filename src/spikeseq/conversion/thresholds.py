r"""First thresholds of LIF and IF neurons, from the currents that they get: for a network with the weights of a trained ANN.

Layer by layer, in the order in which they run, each behind layers whose thresholds are set already::

    V_c = scale * (percentile of the currents of channel c over rows, elements and places; of the whole layer if V is one)

A channel whose percentile is not positive takes that of its layer. Of graded spikes with a sign, V is the range of the sizes of
currents; their gates keep the width of a hard sigmoid.

Source: Rathi et al. (2020), arXiv:2005.01807; Rathi & Roy, DIET-SNN and LITE-SNN (99.7, scale 0.3 there).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from spikeseq.conversion.calibrate import batches
from spikeseq.errors import ConfigError, DataError
from spikeseq.nn.graded_lif import GradedLIF
from spikeseq.nn.kinds import SMALLEST
from spikeseq.nn.mode import evaluating
from spikeseq.nn.neurons import Neurons
from spikeseq.nn.observe import Seen, observing
from spikeseq.shapes import spaced

KEPT = 1 << 16  # currents of a channel that a percentile is taken of


def init_thresholds(
    model: nn.Module, calibration: Iterable[Any], percentile: float = 99.7, scale: float = 1.0
) -> dict[str, Tensor]:
    """Set the thresholds of every LIF and IF layer of ``model``, in place, and return them by the layer's name.

    calibration  batches of inputs, (input, target) pairs whose target is ignored, or mappings of keyword arguments
    percentile   share of the currents below the threshold, in per cent
    scale        factor on it: below 1 more spikes
    Raises ConfigError for a model without neurons or a value out of range, DataError for bad data or a layer that
    no positive current reaches.
    """
    if not 0 < percentile <= 100:
        raise ConfigError(f"percentile={percentile!r}: pass a number above 0, at most 100")
    if not 0 < scale < float("inf"):
        raise ConfigError(f"scale={scale!r}: pass a number above 0")
    names: dict[nn.Module, str] = {
        m: name for name, m in model.named_modules() if isinstance(m, Neurons) and not _gate(m)
    }
    if not names:
        raise ConfigError(
            f"{type(model).__name__} has no LIF or IF layer; convert() sets the thresholds of LSTM layers"
        )
    kept = list(batches(calibration))
    found: dict[str, Tensor] = {}
    with evaluating(model):
        for layer in _order(model, kept[0], names):
            currents = torch.cat([_currents(seen, layer) for x in kept for seen in _see(model, x, layer)])
            found[names[layer]] = _threshold(currents, names[layer], percentile, scale)
            with torch.no_grad():
                layer.threshold.copy_(found[names[layer]])
    return found


def _gate(neurons: Neurons) -> bool:
    return isinstance(neurons, GradedLIF) and neurons.gate


def _see(model: nn.Module, x: Any, layer: nn.Module | None = None) -> list[Seen]:
    """What layers of neurons (or one of them) got while the model ran once."""
    with torch.no_grad(), observing() as seen:
        model(**x) if isinstance(x, Mapping) else model(x)
    return [s for s in seen if layer is None or s.module is layer]


def _order(model: nn.Module, x: Any, names: dict[nn.Module, str]) -> list[Neurons]:
    """Layers in the order in which they first run. Raises DataError for one that does not run."""
    ran = list(dict.fromkeys(s.module for s in _see(model, x) if s.module in names))
    missed = [name for module, name in names.items() if module not in ran]
    if missed:
        raise DataError(f"module {missed[0]!r} was not called by the calibration data; pass data that reaches it")
    return ran  # type: ignore[return-value]


def _currents(seen: Seen, layer: Neurons) -> Tensor:
    """Currents ``[N, C]`` (or ``[N, 1]`` where all units share one threshold), padding left out."""
    x = seen.x if seen.mask is None else seen.x[seen.mask.squeeze(-1)]
    channels = layer.channels or 1
    rows = x.reshape(-1, x.shape[-1])
    rows = rows.abs() if isinstance(layer, GradedLIF) else rows
    return rows.view(len(rows), channels, -1).transpose(1, 2).reshape(-1, channels)


def _threshold(currents: Tensor, name: str, percentile: float, scale: float) -> Tensor:
    """Thresholds ``[C]`` or scalar."""
    chosen = currents[spaced(len(currents), KEPT)]
    own = torch.stack([torch.quantile(channel, percentile / 100) for channel in chosen.t()])
    flat = chosen.flatten()
    whole = torch.quantile(flat[spaced(len(flat), KEPT)], percentile / 100)
    if not whole > 0:
        raise DataError(f"module {name!r} gets no positive current at percentile {percentile}: it could never spike")
    return (scale * torch.where(own > 0, own, whole)).clamp(min=SMALLEST).squeeze()
