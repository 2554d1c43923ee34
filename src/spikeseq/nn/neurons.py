"""Parameters of a population of LIF or IF neurons: threshold and leak, of a layer or of each channel."""

from __future__ import annotations

from typing import Any, TypedDict

import torch
from torch import nn

from spikeseq.errors import ConfigError, ShapeError, nearest
from spikeseq.nn.kinds import SMALLEST
from spikeseq.ops.cells.lif import LIFStep
from spikeseq.ops.neuron import LIFParams, Reset, dyadic_leak
from spikeseq.ops.reference import Step
from spikeseq.ops.spike import SURROGATES, Surrogate, Triangle, clamp_through
from spikeseq.shapes import check_flag, check_number, check_size


class NeuronOptions(TypedDict, total=False):
    """Keyword arguments of all neurons.

    threshold        first value, unit of the current (1)
    learn_threshold  whether it is trained (True)
    reset            "subtract" the threshold (default), or set to "zero"
    surrogate        a callable u -> H(u) with a slope of its own (ops/spike.py), or its name; default Triangle(0.3)
    """

    threshold: float
    learn_threshold: bool
    reset: Reset
    surrogate: Surrogate | str | None
    device: Any
    dtype: Any


class Neurons(nn.Module):
    """Parameters of a population: ``threshold`` and, unless ``leak`` is None (IF), ``leak``; each ``[C]`` or scalar."""

    def __init__(
        self,
        channels: int | None,
        leak: float | None,
        learn_leak: bool,
        rounded: bool,
        threshold: float = 1.0,
        learn_threshold: bool = True,
        reset: Reset = "subtract",
        surrogate: Surrogate | str | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if not check_number("threshold", threshold) >= SMALLEST:
            raise ConfigError(f"threshold={threshold!r}: pass {SMALLEST} or more, in units of the current")
        if leak is not None and not 0 <= check_number("leak", leak) <= 1:
            raise ConfigError(f"leak={leak!r}: a factor per element from 0 to 1; 1 means no leak")
        if reset not in ("subtract", "zero"):
            raise ConfigError(f"reset={reset!r}: {nearest(str(reset), ('subtract', 'zero'))}")
        self.channels, self.rounded = channels, check_flag("dyadic_leak", rounded)
        self.step = LIFStep(surrogate_of(surrogate), reset)
        self.element: Step = self.step  # what runs along a sequence
        shape = () if channels is None else (check_size("channels", channels),)
        first = torch.full(shape, float(threshold), device=device, dtype=dtype)
        self.threshold = nn.Parameter(first, requires_grad=check_flag("learn_threshold", learn_threshold))
        self.leak: nn.Parameter | None = None
        if leak is not None:
            self.leak = nn.Parameter(torch.full_like(first, leak), requires_grad=check_flag("learn_leak", learn_leak))

    def effective(self) -> LIFParams:
        """Threshold and leak as they are used, ``[C]`` or scalar: inside their ranges, the leak rounded if so asked."""
        threshold = clamp_through(self.threshold, SMALLEST)
        if self.leak is None:
            return LIFParams(threshold, torch.ones_like(threshold))
        leak = clamp_through(self.leak, 0, 1)
        return LIFParams(threshold, dyadic_leak(leak) if self.rounded else leak)

    def params(self, units: torch.Size) -> LIFParams:
        """The same for every unit of an element ``[C, ..]``, flattened: ``[1, U]`` (``[1, 1]`` where all share one)."""
        if self.channels is None:
            return LIFParams(*(p.view(1, 1) for p in self.effective()))
        if units[0] != self.channels:
            raise ShapeError(f"x has {units[0]} channels (elements {list(units)}), the neurons have {self.channels}")
        return LIFParams(*(p.repeat_interleave(units[1:].numel()).unsqueeze(0) for p in self.effective()))

    def extra_repr(self) -> str:
        """Channels, and options that are not the default."""
        shown = ["" if self.channels is None else str(self.channels), "dyadic_leak=True" if self.rounded else ""]
        shown += ["" if self.step.reset == "subtract" else f"reset={self.step.reset!r}", repr(self.step.surrogate)]
        return ", ".join(s for s in shown if s)


def surrogate_of(given: Surrogate | str | None) -> Surrogate:
    """Return the surrogate itself, the one of that name, or a Triangle for None. Raises ConfigError for an unknown name."""
    if isinstance(given, str):
        if given not in SURROGATES:
            raise ConfigError(f"surrogate={given!r}: {nearest(given, SURROGATES)}")
        return SURROGATES[given]()
    if given is None:
        return Triangle()
    if not callable(given):
        raise ConfigError(f"surrogate={given!r}: pass a callable or one of {', '.join(SURROGATES)}")
    try:
        hash(given)
        torch.func.vjp(given, torch.zeros(1))[1](torch.ones(1))
    except Exception as error:  # whatever a user's function raises
        raise ConfigError(
            f"surrogate={given!r} cannot be differentiated ({error}); write it with spikeseq.ops.spike.straight_through, or "
            "as a torch.autograd.Function with setup_context"
        ) from error
    return given
