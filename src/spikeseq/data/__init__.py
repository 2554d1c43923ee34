"""Data sets, files in, tensors out: ``load("digits")`` gives sequences, ``load_speech("timit")`` utterances."""

from spikeseq.data.registry import NAMES, load, load_speech
from spikeseq.data.sequence import SequenceData, Split
from spikeseq.data.utterances import SpeechData, Utterances

__all__ = ["NAMES", "SequenceData", "SpeechData", "Split", "Utterances", "load", "load_speech"]
