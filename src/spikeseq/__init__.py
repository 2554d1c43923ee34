"""spikeseq: torch.nn.LSTM in, accumulate-only spiking LSTM out."""

from importlib.metadata import version

from spikeseq import conversion, nn
from spikeseq.conversion import Conversion, ConvertConfig, convert

__version__ = version("spikeseq")
__all__ = ["Conversion", "ConvertConfig", "conversion", "convert", "nn"]
