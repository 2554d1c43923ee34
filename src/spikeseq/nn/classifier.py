"""A sequence classifier: recurrent layers and a linear readout. What the recipes train; any model can be converted."""

from __future__ import annotations

import inspect
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.adlif import AdLIF
from spikeseq.nn.current_kinds import CurrentKind
from spikeseq.nn.gated_current import GatedCurrent, HardGatedCurrent, LeakyCurrent, SpikingGatedCurrent
from spikeseq.nn.lstm import GRU, LSTM, HardLSTM, QuantizedLSTM, SpikingLSTM, StreamLSTM
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.sequence import valid_mask
from spikeseq.ops.precision import full_precision
from spikeseq.ops.schedule import Order
from spikeseq.shapes import check_batch, check_dtype, check_lengths, check_size

CELLS: dict[str, Any] = {
    "torch_lstm": nn.LSTM,
    "torch_gru": nn.GRU,
    "lstm": LSTM,
    "gru": GRU,
    "hard_lstm": HardLSTM,
    "quantized_lstm": QuantizedLSTM,
    "spiking_lstm": SpikingLSTM,
    "stream_lstm": StreamLSTM,
    "gated_current": GatedCurrent,
    "hard_gated_current": HardGatedCurrent,
    "spiking_gated_current": SpikingGatedCurrent,
    "leaky_current": LeakyCurrent,
    "adlif": AdLIF,
}


def _options(layer: Any) -> set[str]:
    """Names of the arguments that only this kind of layer has, and ``bias``."""
    own = inspect.signature(layer.__init__).parameters.values()
    return {p.name for p in own if p.kind is p.KEYWORD_ONLY} | {"bias"}


def make_layers(
    cell: str, input_size: int, hidden_size: int, num_layers: int, dropout: float, bidirectional: bool,
    options: dict[str, Any] | None,
) -> nn.Module:  # fmt: skip
    """Recurrent layers, batch first; ``cell`` one of CELLS. Raises ConfigError for a cell or an option that is not there."""
    if cell not in CELLS:
        raise ConfigError(f"cell={cell!r}: {nearest(cell, CELLS)}")
    allowed = {"bias"} if CELLS[cell].__module__.startswith("torch") else _options(CELLS[cell])
    for name in options or {}:
        if name not in allowed:
            raise ConfigError(f"options: cell={cell!r} has no option {name!r}; {nearest(name, allowed)}")
    layers: nn.Module = CELLS[cell](
        input_size, hidden_size, num_layers,
        batch_first=True, dropout=dropout if num_layers > 1 else 0.0, bidirectional=bidirectional, **(options or {}),
    )  # fmt: skip
    return layers


@full_precision  # also torch's layers: not every processor has an LSTM in bfloat16
def run_layers(layers: nn.Module, x: Tensor, lengths: Tensor | None) -> Tensor:
    """``x [B, L, I]``, checked lengths ``[B]`` or None -> outputs ``[B, L, H]``, 0 at padding."""
    output: Tensor
    if lengths is None or isinstance(layers, Recurrent):
        output = layers(x)[0] if lengths is None else layers(x, lengths=lengths)[0]
        return output
    # packed, torch's LSTM takes five times as long; in evaluation it is, so that operations are counted without padding
    if layers.training and not layers.bidirectional:
        there = valid_mask(lengths, x.transpose(0, 1)).t()[..., None]
        output = layers(x.masked_fill(~there, 0))[0]
        return output.masked_fill(~there, 0)
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(layers(packed)[0], True, total_length=x.shape[1])[0]


class RecurrentReadout(nn.Module):
    """Recurrent layers ``rnn`` (batch first), ``dropout`` and a linear ``readout``: what classifiers have in common."""

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        bidirectional: bool,
        options: dict[str, Any] | None,
        classes: int,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.rnn = make_layers(cell, input_size, hidden_size, num_layers, dropout, bidirectional, options)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(hidden_size * (1 + bidirectional), check_size("classes", classes))

    @property
    def time_steps(self) -> int:
        """T of the recurrent layer as it is now; 1 for layers without time steps."""
        return self.rnn.kind.time_steps if isinstance(self.rnn, Recurrent) else 1


class SequenceClassifier(RecurrentReadout):
    """``x [B, L, I] -> logits [B, classes]``: recurrent layers (batch first), then ``W_out h + b`` of the pooled output.

    For a spiking layer the output is the average over T of its spikes, so the readout is ``sum_t W_out h_t / T``.

    cell     one of CELLS;  options: further arguments of that layer (``time_steps``, ``max_packet``, ..)
    pooling  "last" element, or "mean" over the sequence
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
        pooling: Literal["last", "mean"] = "last",
        options: dict[str, Any] | None = None,
    ) -> None:
        if pooling not in ("last", "mean"):
            raise ConfigError(f"pooling={pooling!r}: {nearest(str(pooling), ('last', 'mean'))}")
        super().__init__(cell, input_size, hidden_size, num_layers, dropout, bidirectional, options, classes)
        self.pooling = pooling

    def forward(self, x: Tensor, lengths: Tensor | list[int] | None = None) -> Tensor:
        """``x [B, L, I]``, true lengths ``[B]`` or None (all L) -> logits ``[B, classes]``; padding changes nothing."""
        check_batch(x, self.input_size, True)
        check_dtype(x, self.readout.weight)
        lengths = None if lengths is None else check_lengths(lengths, x.shape[0], x.shape[1])
        return self.classify(run_layers(self.rnn, x, lengths), lengths)

    def classify(self, output: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Outputs of the recurrent layers ``[B, L, H]``, 0 at padding -> logits ``[B, classes]``."""
        logits: Tensor
        if self.pooling == "last":
            last = output[:, -1] if lengths is None else output[torch.arange(len(output)), lengths - 1]
            logits = self.readout(self.dropout(last))
        elif self.transmits_spikes and not self.training and lengths is None:
            # the same sum, element by element: the readout sees spikes, not their average, and only accumulates
            logits = self.readout(output).mean(1)
        else:
            pooled = output.mean(1) if lengths is None else output.sum(1) / lengths[:, None].to(output)
            logits = self.readout(self.dropout(pooled))
        return logits

    @property
    def transmits_spikes(self) -> bool:
        """Whether outputs are added without products; multi-bit ones are pooled first."""
        kind = self.rnn.kind if isinstance(self.rnn, Recurrent) else None
        return kind is not None and kind.spikes and not isinstance(kind, CurrentKind)

    @torch.no_grad()
    def run(self, x: Tensor, order: Order = "wavefront") -> Tensor:
        """As :meth:`forward`, node by node in the given order (spiking layers only): ``[B, classes]``."""
        if not isinstance(self.rnn, SpikingLSTM | StreamLSTM):
            raise ConfigError(f"run() needs a spiking layer, this model has {type(self.rnn).__name__}; use forward()")
        return self.classify(self.rnn.run(x, order=order).output)
