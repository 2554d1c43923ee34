r"""Multiplications of a trained classifier beside a GRU of the same sizes: as S3 counts them, and corrected (published.py).

The non-zeros are those of real sequences. Cells that the published count does not know (T levels, adLIF, spiking LSTMs) have
a corrected count only: the MACs of ``count``. The GRU is given the same inputs before any coding; its h has no zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from spikeseq.energy.published import corrected_multiplications, published_multiplications
from spikeseq.energy.synops import count
from spikeseq.nn.classifier import SequenceClassifier, run_layers
from spikeseq.nn.current_kinds import GatedKind, LeakyKind
from spikeseq.nn.frames import FrameClassifier
from spikeseq.nn.mode import evaluating
from spikeseq.nn.observe import observing
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.sequence import valid_mask


def multiplications(
    model: SequenceClassifier | FrameClassifier, batch: Tensor | Mapping[str, Tensor]
) -> dict[str, float]:
    """Per element, readout included: ``multiplications_corrected`` and ``fewer_multiplications_corrected`` (times, beside
    the GRU, also by the corrected count), and both ``.._published`` where the published count knows the cell.

    batch   ``x [N, L, I]``, or ``x`` and ``lengths``
    Nothing (an empty dict) for a bidirectional model: the counts are of one direction.
    """
    layers: Any = model.rnn
    if layers.bidirectional:
        return {}
    given = batch if isinstance(batch, Mapping) else {"x": batch}
    active, inputs = _non_zeros(model, given["x"], given.get("lengths"))
    hidden, outputs, cell = layers.hidden_size, model.readout.out_features, published_cell(layers)
    sizes = [inputs, *[float(hidden)] * layers.num_layers]
    found: dict[str, float] = {}
    if cell is None:
        found["multiplications_corrected"] = count(model, batch).macs_per_element
    else:
        seen = sizes if cell in ("lstm", "gru") else active
        found["multiplications_published"] = published_multiplications(cell, hidden, seen, outputs)
        found["multiplications_corrected"] = corrected_multiplications(cell, hidden, seen, outputs)
    gru = published_multiplications("gru", hidden, sizes, outputs)  # nothing in it to correct
    return {**found, **{f"fewer_{name}": gru / value for name, value in found.items() if value}}


def published_cell(layers: nn.Module) -> str | None:
    """Name of the cell in published.py, None if it is not there."""
    kind = layers.kind if isinstance(layers, Recurrent) else None
    if isinstance(kind, GatedKind):
        return kind.variant
    if isinstance(kind, LeakyKind):
        return "conventional"
    return {nn.LSTM: "lstm", nn.GRU: "gru"}.get(type(layers))


def _non_zeros(
    model: SequenceClassifier | FrameClassifier, x: Tensor, lengths: Tensor | None
) -> tuple[list[float], float]:
    """Mean non-zeros of an element: of what W meets in the first layer and of each layer's output; of ``x`` itself."""
    with evaluating(model), torch.no_grad(), observing() as seen:
        run_layers(model.rnn, x, lengths)
    turned = x.transpose(0, 1)  # [L, N, I]
    mask = None if lengths is None else valid_mask(lengths, turned).unsqueeze(-1)
    elements = float(x.shape[0] * x.shape[1] if mask is None else mask.sum())

    def mean(values: Tensor) -> float:
        own = values != 0 if mask is None else (values != 0) & mask
        return float(own.sum()) / elements

    plain = [own for own in seen if own.output.dim() == 3]
    return [mean(own.x) for own in plain[:1]] + [mean(own.output) for own in plain], mean(turned)
