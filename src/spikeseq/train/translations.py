"""The final test of a translation network: whole translations, and BLEU."""

from __future__ import annotations

from typing import Any

from spikeseq.data import Pairs, TranslationData
from spikeseq.energy import count, price
from spikeseq.energy.compare import FORMATS, MEMORIES
from spikeseq.nn.translation import Translator, beam, greedy
from spikeseq.nn.translation.attention import Attention
from spikeseq.ops.fuse import CompileMode, compiling
from spikeseq.train.bleu import bleu
from spikeseq.train.inputs import pair_arguments

SENTENCES = 100  # translated at once
COUNTED = 50  # test sentences whose operations are counted


def translations(model: Translator, split: Pairs, data: TranslationData, width: int = 0) -> list[str]:
    """The translation of every sentence of a split, in its order; ``width`` of the beam, 0: greedily."""
    model.eval()
    order = sorted(range(len(split)), key=lambda row: len(split.source[row]))  # like lengths together
    found: dict[int, str] = {}
    for start in range(0, len(order), SENTENCES):
        rows = order[start : start + SENTENCES]
        batch = split.batch(rows)
        if width:
            tokens = [best.tokens for best in beam(model, batch.source, batch.source_lengths, width)]
        else:
            tokens = greedy(model, batch.source, batch.source_lengths)
        found |= {row: data.tokenizer.decode(own) for row, own in zip(rows, tokens, strict=True)}
    return [found[row] for row in range(len(split))]


def bleu_scores(model: Translator, data: TranslationData, width: int, compile: CompileMode = "auto") -> dict[str, Any]:
    """BLEU on the test split: ``test_bleu`` by a beam of ``width``, ``test_bleu_greedy``, and the signature.

    Where the data is lower-cased, so are the references.
    """
    metrics: dict[str, Any] = {"beam_width": width}
    names = {"test_bleu": width, "test_bleu_greedy": 0} if width else {"test_bleu": 0}
    with compiling(compile):
        for name, own in names.items():
            score = bleu(translations(model, data.test, data, own), data.test.target_text, data.lower)
            metrics |= {name: score.score, "bleu_signature": score.signature}
    return metrics


def operations_of_pairs(model: Translator, data: TranslationData) -> dict[str, float]:
    """Operations and energy of a sentence and its translation, greedily: the mean over the first COUNTED of the test split.

    Source and reference go through once, one pair at a time, so that no padding is counted. ``attention_macs_per_sentence``
    are the multiplications of scores and contexts, and of the products that take contexts.
    """
    rows = range(min(COUNTED, len(data.test)))
    counts = count(model, [pair_arguments(data.test.batch([row])) for row in rows])
    scale = counts.elements / len(rows)
    attending = {name for name, module in model.named_modules() if isinstance(module, Attention)}
    inside = [layer for layer in counts.per_layer if layer.name in attending or "from_context" in layer.name]
    found = {
        "macs_per_sentence": counts.macs_per_element * scale,
        "acs_per_sentence": counts.acs_per_element * scale,
        "attention_macs_per_sentence": sum(layer.macs for layer in inside) / len(rows),
    }
    for memory, suffix in zip(MEMORIES, ("", "_sram"), strict=True):
        for form in FORMATS:
            found[f"energy_{form}{suffix}_per_sentence_pj"] = price(counts, form, memory).pj_per_element * scale
    return found
