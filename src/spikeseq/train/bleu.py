"""BLEU of translations, by sacreBLEU: on raw text, with its own tokens, and the signature that says how.

Source: Post (2018), arXiv:1804.08771.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from spikeseq.errors import DataError


class Bleu(NamedTuple):
    """A score."""

    score: float  # 0 .. 100
    signature: str


def bleu(found: Sequence[str], wanted: Sequence[str], lower: bool) -> Bleu:
    """BLEU of a corpus with one reference for each sentence; ``lower``: cases are not told apart ("case:lc").

    Raises DataError without sentences, or where sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics import BLEU
    except ImportError as error:
        raise DataError(f"BLEU needs the package sacrebleu ({error}): pip install 'spikeseq[text]'") from error
    if not found or len(found) != len(wanted):
        raise DataError(f"{len(found)} translations of {len(wanted)} sentences: pass one of each")
    metric = BLEU(lowercase=lower)
    score = float(metric.corpus_score(list(found), [list(wanted)]).score)
    return Bleu(score, str(metric.get_signature()))
