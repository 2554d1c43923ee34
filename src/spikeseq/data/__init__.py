"""Data sets as sequences: ``load("digits")`` gives train, valid and test tensors; files in, tensors out."""

from spikeseq.data.registry import NAMES, load
from spikeseq.data.sequence import SequenceData, Split

__all__ = ["NAMES", "SequenceData", "Split", "load"]
