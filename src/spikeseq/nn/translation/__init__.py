"""Translation of sentences: convolutional spiking encoder-decoder with attention, its twins, an LSTM, a plain spiking one."""

from spikeseq.nn.translation.base import Decoded, Translator
from spikeseq.nn.translation.conv import ConvTranslator

__all__ = ["ConvTranslator", "Decoded", "Translator"]
