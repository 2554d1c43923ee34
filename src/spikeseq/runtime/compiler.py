"""From a model of ``spikeseq.nn`` to a program."""

from __future__ import annotations

from typing import Literal

from torch import nn

from spikeseq.errors import ConfigError
from spikeseq.nn.sequential import Sequential
from spikeseq.runtime.arrays import check_settings
from spikeseq.runtime.int8 import int8_layer, int8_readout, unit_layer, unit_readout
from spikeseq.runtime.membrane import membrane_arrays
from spikeseq.runtime.program import Program
from spikeseq.runtime.recurrent import recurrent_arrays


def compile(model: nn.Module, weights: Literal["float32", "int8"] = "float32") -> Program:
    """Return the model, in evaluation mode and float32, for the event-driven runtime.

    model    SpikingLSTM, QuantizedLSTM (unrolled over T), StreamLSTM, SpikingGatedCurrent, GatedCurrent, LeakyCurrent, or a
             SequenceClassifier of one of them; one direction.
             Or a Sequential of Linear and LIF (IF), once or more, and Linear with Integrator or Last, or nothing, behind.
             Numbers outside float32 are refused, others are rounded.
    weights  "float32", or "int8": rounded to 8 bits with a power-of-two scale for each channel, sums of 32 bits, leaks
             rounded to multiples of 2^-8 (gates of a StreamLSTM) or 2^-16 (LIF); of currents with multi-bit outputs
             the weights alone, with any scale
    Raises ConfigError naming the module that cannot run.
    """
    if not isinstance(model, nn.Module):
        raise ConfigError(f"model is {type(model).__name__}: pass a module")
    found = membrane_arrays(model, weights) if isinstance(model, Sequential) else recurrent_arrays(model, weights)
    settings, layers, readout = found
    check_settings(settings)
    if weights == "float32":
        return Program(settings, layers, readout)
    if not settings.whole:
        return Program(settings, [unit_layer(layer) for layer in layers], readout and unit_readout(readout))
    eight = [int8_layer(layer, number, settings) for number, layer in enumerate(layers)]
    return Program(settings, eight, readout and int8_readout(readout))
