"""Conversion: one verb, a config, one registered handler for each layer type."""

from spikeseq.conversion import gru  # noqa: F401  its handlers register themselves
from spikeseq.conversion.config import ConvertConfig
from spikeseq.conversion.convert import Conversion, convert
from spikeseq.conversion.report import ConversionReport, LayerReport, PartReport
from spikeseq.conversion.rules import Context, register
from spikeseq.conversion.thresholds import init_thresholds

__all__ = [
    "Context",
    "Conversion",
    "ConversionReport",
    "ConvertConfig",
    "LayerReport",
    "PartReport",
    "convert",
    "init_thresholds",
    "register",
]
