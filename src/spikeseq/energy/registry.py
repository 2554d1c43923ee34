"""One counting rule for each type of layer; a layer with weights and no rule is an error, never free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import nn

from spikeseq.energy.counts import LayerCount
from spikeseq.errors import ConversionError
from spikeseq.nn.observe import Seen


class Code(NamedTuple):
    """Multi-bit values that a layer of the model transmits: ``k unit``, ``|k| <= largest``."""

    unit: float
    largest: int
    bits: int  # of |k|


class Window(NamedTuple):
    """Sums of spikes over the windows of an average pooling: ``k / divisor``, at most ``size`` times what one spike sends."""

    size: int
    divisor: int


ALONE = Window(1, 1)  # no pooling


@dataclass(frozen=True)
class Call:
    """One call of a layer while a model runs."""

    name: str  # dotted name in the model
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any
    seen: tuple[Seen, ...]  # what recurrent layers of this library inside it transmitted
    time_steps: int = (
        1  # T of the spiking, graded or quantised layer that ran last: what it transmits, averaged, is k / T
    )
    dense: bool = False  # quantised layers and none that spikes: k / T arrives as a number of few bits, not as spikes
    codes: tuple[Code, ...] = ()  # of the model's layers with multi-bit outputs
    window: Window = ALONE  # of the average pooling that ran since the layer before
    first: bool = False  # the first layer that ran: spikes in its input are events of the data, which no layer sent

    def argument(self, position: int, name: str) -> Any:
        """Return an argument however it was passed, None if it was not."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name)


Rule = Callable[[Any, Call], list[LayerCount]]
_RULES: dict[type, Rule] = {}


def register(*layer_types: type) -> Callable[[Rule], Rule]:
    """Register the counting rule of layer types and of their subclasses; a later one replaces an earlier one.

    A rule counts all that its module does: modules inside it are not counted again.
    """

    def keep(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(layer_types, rule))
        return rule

    return keep


def rule_of(module: nn.Module) -> Rule | None:
    """Return the rule of a module's type or of its nearest registered base class, or None."""
    return next((_RULES[kind] for kind in type(module).__mro__ if kind in _RULES), None)


def counted(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules that have a rule, outermost first, by dotted name. Raises ConversionError for one without."""
    found: dict[str, nn.Module] = {}

    def visit(name: str, module: nn.Module) -> None:
        if module in found.values():  # one layer under two names
            return
        if rule_of(module) is not None:
            found[name] = module
            return
        if next(module.parameters(recurse=False), None) is not None:
            raise ConversionError(
                f"module {name or 'model'!r} ({type(module).__name__}) has weights and no counting rule; "
                "add one with spikeseq.energy.register"
            )
        for child_name, child in module.named_children():
            visit(f"{name}.{child_name}".lstrip("."), child)

    visit("", model)
    return found
