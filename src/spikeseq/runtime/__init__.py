"""Event-driven runtime: a spiking LSTM element by element, in C (csrc/), without PyTorch at run time.

``program = compile(model)``; ``stream = program.stream()``; ``y = stream.step(x)``.
"""

from spikeseq.runtime.compiler import compile
from spikeseq.runtime.program import Program
from spikeseq.runtime.stream import Stream

__all__ = ["Program", "Stream", "compile"]
