"""Test a trained model: accuracy, spikes, size. A quantised model is also run as the spiking network that it trains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from spikeseq.data import Data, SequenceData, SpeechData, Split, TextData, TranslationData
from spikeseq.energy import audit, compare, count, multiplications, price
from spikeseq.energy.compare import FORMATS, MEMORIES, has_counterparts
from spikeseq.nn import FrameClassifier, QuantizedLSTM, SequenceClassifier, observing
from spikeseq.nn.neurons import Neurons
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.settings import Network
from spikeseq.nn.spiking import as_spiking
from spikeseq.nn.text import TextClassifier
from spikeseq.nn.translation import Translator
from spikeseq.ops.fuse import CompileMode, compiling
from spikeseq.shapes import spaced
from spikeseq.train.batches import eval_batches
from spikeseq.train.buckets import eval_pairs, eval_texts, eval_utterances
from spikeseq.train.hmm import phone_error_rate
from spikeseq.train.losses import activity
from spikeseq.train.speech_tasks import Frames
from spikeseq.train.tasks import Classify, Task
from spikeseq.train.translate_task import Translate
from spikeseq.train.translations import bleu_scores, operations_of_pairs

COUNTED, COUNTED_UTTERANCES = 512, 64  # test sequences whose operations are counted
AUDITED = 1  # test sequence in which every operation is looked at


def accuracy(model: torch.nn.Module, split: Split, compile: CompileMode = "auto") -> tuple[float, float]:
    """Share of rows classified correctly, and what is sent for each unit and time step, over a split."""
    found, rate = measure(model, Classify(), eval_batches(split), compile)
    return found["accuracy"], rate


@torch.no_grad()
def measure(
    model: torch.nn.Module, task: Task, batches: Iterable[Any], compile: CompileMode = "auto"
) -> tuple[dict[str, float], float]:
    """The task's metrics, and what is sent for each unit and time step, over all batches."""
    model.eval()
    meter, rate, elements = task.meter(), 0.0, 0
    for batch in batches:
        with compiling(compile), observing() as seen:
            meter.add(task.logits(model, batch), batch)
        own = task.elements(batch)
        rate += activity(seen) * own if seen else 0.0
        elements += own
    return meter.result(), rate / elements


def operations(model: torch.nn.Module, x: Tensor | dict[str, Tensor]) -> dict[str, float]:
    """Counted operations and energy in every format; for a spiking network also the gain over a float LSTM of the same
    sizes and, for a spiking LSTM, the energy of its matched quantised LSTM (``matched_``).
    """
    against = compare(model, x) if has_counterparts(model) else None
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


def evaluate(model: Network, data: Data, compile: CompileMode = "auto", task: Task | None = None) -> dict[str, Any]:
    """Metrics of a trained model on the test split.

    ``test_accuracy`` (or ``test_per``, ``test_wer``, ..) of a quantised model is that of its spiking network (grid with
    packets); that of the training graph and that of strict unit spikes stand beside it as ``quantized_accuracy`` and
    ``unit_spike_accuracy``. Operations and energy are those of COUNTED sequences spread over it. A classifier of frames has
    the ``test_per`` of the phones decoded from it (hmm.py); one of speech the multiplications beside a GRU, as published and
    corrected (energy/multiplications.py), and ``accumulate_only``: whether all behind the input layer only adds.
    """
    if isinstance(model, Translator) and isinstance(data, TranslationData):
        return _translation(model, data, task if isinstance(task, Translate) else Translate(), compile)
    assert not isinstance(data, TranslationData)  # a recipe's task and network agree
    task = task or Classify()
    quantized = any(isinstance(m, QuantizedLSTM) for m in model.modules())
    spiking = as_spiking(model) if quantized else model
    found, rate = measure(spiking, task, test_batches(data), compile)
    metrics = {
        **{f"test_{name}": value for name, value in found.items()},
        "parameters": sum(p.numel() for p in model.parameters()),
        **operations(spiking, counted_rows(data)),
    }
    if isinstance(data, SpeechData) and isinstance(task, Frames):
        metrics |= phone_error_rate(spiking, data, task, compile)
    if isinstance(spiking, SequenceClassifier | FrameClassifier) and _speech(data):
        metrics |= multiplications(spiking, counted_rows(data))  # there are published counts to compare with
        metrics["accumulate_only"] = audit(spiking, counted_rows(data, AUDITED), allow=["input layer"]).ok
    if isinstance(spiking, TextClassifier):
        metrics["body_parameters"] = spiking.body_parameters
    if any(isinstance(m, Neurons) or (isinstance(m, Recurrent) and m.kind.spikes) for m in spiking.modules()):
        metrics["spike_rate"] = rate
    if quantized:
        for label, variant in (("quantized", model), ("unit_spike", as_spiking(model, max_packet=1))):
            own, _ = measure(variant, task, test_batches(data), compile)
            metrics |= {f"{label}_{name}": value for name, value in own.items()}
    return metrics


def _translation(model: Translator, data: TranslationData, task: Translate, compile: CompileMode) -> dict[str, Any]:
    """BLEU; accuracy of the tokens where those before them are given; size and spikes."""
    found, rate = measure(model, task, eval_pairs(data.test), compile)
    metrics = {
        **bleu_scores(model, data, task.width, compile),
        **{f"test_token_{name}": value for name, value in found.items()},
        "parameters": sum(p.numel() for p in model.parameters()),
        **operations_of_pairs(model, data),
    }
    return {**metrics, "spike_rate": rate} if any(isinstance(m, Neurons) for m in model.modules()) else metrics


def test_batches(data: SequenceData | SpeechData | TextData) -> Iterable[Any]:
    """Batches of the test split."""
    if isinstance(data, TextData):
        return eval_texts(data.test)
    return eval_utterances(data.test) if isinstance(data, SpeechData) else eval_batches(data.test)


def _speech(data: Data) -> bool:
    return isinstance(data, SpeechData) or (isinstance(data, SequenceData) and data.decibels is not None)


def counted_rows(data: SequenceData | SpeechData | TextData, most: int = COUNTED) -> Tensor | dict[str, Tensor]:
    """Test sequences whose operations are counted, evenly over a split that may be sorted; as arguments of a model."""
    if isinstance(data, SequenceData):
        return data.test.x[spaced(len(data.test.x), most)]
    if isinstance(data, TextData):
        return text_rows(data, min(most, COUNTED_UTTERANCES))
    batch = data.test.batch(spaced(len(data.test), min(most, COUNTED_UTTERANCES)).tolist())
    return {"x": batch.x, "lengths": batch.lengths}


def text_rows(data: TextData, count: int) -> dict[str, Tensor]:
    """Test texts evenly over the split, which may be sorted by class, as arguments of a model."""
    batch = data.test.batch(spaced(len(data.test), count))
    return {"tokens": batch.x, "lengths": batch.lengths}
