"""spikeseq: torch.nn.LSTM in, accumulate-only spiking LSTM out."""

from importlib.metadata import version

from spikeseq import nn

__version__ = version("spikeseq")
__all__ = ["nn"]
