"""Test a trained model: accuracy, spikes, size. A quantised model is also run as the spiking network that it trains."""

from __future__ import annotations

from typing import Any

import torch

from spikeseq.data import SequenceData, Split
from spikeseq.energy import compare, count, price
from spikeseq.energy.compare import FORMATS, MEMORIES
from spikeseq.nn import QuantizedLSTM, SequenceClassifier, observing
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.spiking import as_spiking
from spikeseq.ops.fuse import CompileMode, compiling
from spikeseq.train.batches import eval_batches
from spikeseq.train.losses import activity

COUNTED = 512  # test sequences whose operations are counted


@torch.no_grad()
def accuracy(model: torch.nn.Module, split: Split, compile: CompileMode = "auto") -> tuple[float, float]:
    """Share of rows classified correctly, and what is sent for each unit and time step, over a split."""
    model.eval()
    hits, rate, rows = 0, 0.0, 0
    for x, y in eval_batches(split):
        with compiling(compile), observing() as seen:
            hits += int((model(x).argmax(-1) == y).sum())
        rate += activity(seen) * len(y) if seen else 0.0
        rows += len(y)
    return hits / rows, rate / rows


def operations(model: torch.nn.Module, x: torch.Tensor) -> dict[str, float]:
    """Counted operations and energy in every format; for a spiking network also the gain over a float LSTM of the same
    sizes and, for a spiking LSTM, the energy of its matched quantised LSTM (``matched_``).
    """
    against = compare(model, x) if any(isinstance(m, Recurrent) and m.kind.spikes for m in model.modules()) else None
    counts = against.counts["spiking"] if against else count(model, x)
    found = {"macs_per_element": counts.macs_per_element, "acs_per_element": counts.acs_per_element}
    for memory, suffix in zip(MEMORIES, ("", "_sram"), strict=True):
        for form in FORMATS:
            pj = price(counts, form, memory).pj_per_element
            found[f"energy_{form}{suffix}_pj"] = pj
            if against:
                others = against.energy(form, memory)
                found[f"gain_{form}{suffix}"] = others["LSTM"] / pj
                matched = f"{against.time_steps}-level LSTM"
                if matched in others:
                    found[f"matched_{form}{suffix}_pj"] = others[matched]
    return found


def evaluate(model: SequenceClassifier, data: SequenceData, compile: CompileMode = "auto") -> dict[str, Any]:
    """Metrics of a trained model on the test split.

    ``test_accuracy`` of a quantised model is that of its spiking network (grid with packets); that of the training graph
    and that of strict unit spikes stand beside it as ``quantized_accuracy`` and ``unit_spike_accuracy``. Operations and
    energy are those of the first COUNTED sequences.
    """
    spiking = as_spiking(model) if isinstance(model.rnn, QuantizedLSTM) else model
    hit, rate = accuracy(spiking, data.test, compile)
    metrics = {
        "test_accuracy": hit,
        "parameters": sum(p.numel() for p in model.parameters()),
        **operations(spiking, data.test.x[:COUNTED]),
    }
    if isinstance(spiking.rnn, Recurrent) and spiking.rnn.kind.spikes:
        metrics["spike_rate"] = rate
    if isinstance(model.rnn, QuantizedLSTM):
        metrics["quantized_accuracy"] = accuracy(model, data.test, compile)[0]
        metrics["unit_spike_accuracy"] = accuracy(as_spiking(model, max_packet=1), data.test, compile)[0]
    return metrics
