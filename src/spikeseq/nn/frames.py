"""A frame classifier: recurrent layers and a linear readout at every element of the sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spikeseq.nn.classifier import RecurrentReadout, run_layers
from spikeseq.shapes import check_batch, check_dtype, check_lengths


class FrameClassifier(RecurrentReadout):
    """``x [B, L, I] -> logits [B, L, classes]``: recurrent layers, then ``W_out h[n] + b`` at each element that is there.

    cell         one of CELLS (nn/classifier.py);  options: further arguments of that layer
    batch_first  False: ``x [L, B, I] -> logits [L, B, classes]``
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        classes: int,
        cell: str = "torch_lstm",
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        options: dict[str, Any] | None = None,
        batch_first: bool = True,
    ) -> None:
        super().__init__(cell, input_size, hidden_size, num_layers, dropout, bidirectional, options, classes)
        self.batch_first = batch_first

    def forward(self, x: Tensor, lengths: Tensor | list[int] | None = None) -> Tensor:
        """Sequences and their true lengths ``[B]`` or None (all L) -> logits, 0 behind a row's length."""
        check_batch(x, self.input_size, self.batch_first)
        check_dtype(x, self.readout.weight)
        x = x if self.batch_first else x.transpose(0, 1)
        lengths = None if lengths is None else check_lengths(lengths, x.shape[0], x.shape[1])
        output = self.dropout(run_layers(self.rnn, x, lengths))
        logits = self.readout(output) if lengths is None else self._at(output, lengths)
        return logits if self.batch_first else logits.transpose(0, 1)

    def _at(self, output: Tensor, lengths: Tensor) -> Tensor:
        """Readout of the elements that are there: padding costs nothing."""
        there = (torch.arange(output.shape[1]) < lengths[:, None]).flatten().nonzero().squeeze(1).to(output.device)
        rows: Tensor = self.readout(output.flatten(0, 1).index_select(0, there))
        full = rows.new_zeros(output.shape[0] * output.shape[1], rows.shape[-1])
        return full.index_copy(0, there, rows).view(*output.shape[:2], -1)
