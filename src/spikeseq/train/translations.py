"""The final test of a translation network: whole translations, and BLEU."""

from __future__ import annotations

from typing import Any

from spikeseq.data import Pairs, TranslationData
from spikeseq.nn.translation import Translator, beam, greedy
from spikeseq.ops.fuse import CompileMode, compiling
from spikeseq.train.bleu import bleu

SENTENCES = 100  # translated at once


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
