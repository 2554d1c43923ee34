"""spikeseq: torch.nn.LSTM in, accumulate-only spiking LSTM out."""

from importlib.metadata import version

from spikeseq import conversion, energy, nn
from spikeseq.conversion import Conversion, ConvertConfig, convert

__version__ = version("spikeseq")
__all__ = ["Conversion", "ConvertConfig", "conversion", "convert", "energy", "nn"]
