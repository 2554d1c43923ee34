"""Data sets, files in, tensors out: ``load("digits")`` gives sequences, ``load_text("imdb")`` texts, ``load_speech("timit")``
utterances."""

from spikeseq.data.registry import NAMES, load, load_pairs, load_speech, load_text
from spikeseq.data.sequence import SequenceData, Split
from spikeseq.data.text.pairs import Pairs, TranslationData
from spikeseq.data.text.texts import TextData, Texts
from spikeseq.data.utterances import SpeechData, Utterances

Data = SequenceData | SpeechData | TextData | TranslationData

__all__ = [
    "NAMES",
    "Data",
    "Pairs",
    "SequenceData",
    "SpeechData",
    "Split",
    "TextData",
    "Texts",
    "TranslationData",
    "Utterances",
    "load",
    "load_pairs",
    "load_speech",
    "load_text",
]
