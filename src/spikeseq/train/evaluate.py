"""Test a trained model: accuracy, spikes, size. A quantised model is also run as the spiking network that it trains."""

from __future__ import annotations

from typing import Any

import torch

from spikeseq.data import SequenceData, Split
from spikeseq.nn import QuantizedLSTM, SequenceClassifier, SpikingLSTM, StreamLSTM, observing
from spikeseq.nn.spiking import as_spiking
from spikeseq.ops.fuse import CompileMode, compiling
from spikeseq.train.batches import eval_batches
from spikeseq.train.losses import spike_rate


@torch.no_grad()
def accuracy(model: torch.nn.Module, split: Split, compile: CompileMode = "auto") -> tuple[float, float]:
    """Share of rows classified correctly, and spikes per unit and time step, over a split."""
    model.eval()
    hits, rate, rows = 0, 0.0, 0
    for x, y in eval_batches(split):
        with compiling(compile), observing() as seen:
            hits += int((model(x).argmax(-1) == y).sum())
        rate += float(spike_rate(seen)) * len(y) if seen else 0.0
        rows += len(y)
    return hits / rows, rate / rows


def evaluate(model: SequenceClassifier, data: SequenceData, compile: CompileMode = "auto") -> dict[str, Any]:
    """Metrics of a trained model on the test split.

    ``test_accuracy`` of a quantised model is that of its spiking network (grid with packets); that of the training graph
    and that of strict unit spikes stand beside it as ``quantized_accuracy`` and ``unit_spike_accuracy``.
    """
    parameters = sum(p.numel() for p in model.parameters())
    if not isinstance(model.rnn, QuantizedLSTM):
        hit, rate = accuracy(model, data.test, compile)
        spiking = isinstance(model.rnn, SpikingLSTM | StreamLSTM)
        return {"test_accuracy": hit, "parameters": parameters, **({"spike_rate": rate} if spiking else {})}
    graph, _ = accuracy(model, data.test, compile)
    grid, rate = accuracy(as_spiking(model), data.test, compile)
    unit, _ = accuracy(as_spiking(model, max_packet=1), data.test, compile)
    return {
        "test_accuracy": grid, "quantized_accuracy": graph, "unit_spike_accuracy": unit, "spike_rate": rate,
        "parameters": parameters,
    }  # fmt: skip
