"""Translation of sentences: convolutional spiking encoder-decoder with attention, its twins, an LSTM, a plain spiking one."""

from spikeseq.nn.translation.base import Decoded, Translator
from spikeseq.nn.translation.conv import ConvTranslator
from spikeseq.nn.translation.make import CELLS, translator, twin
from spikeseq.nn.translation.search import Hypothesis, beam, greedy

__all__ = ["CELLS", "ConvTranslator", "Decoded", "Hypothesis", "Translator", "beam", "greedy", "translator", "twin"]
