"""What a rule of the audit is, and the rules of sums, comparisons and casts.

A rule judges one :class:`Call` of an ATen operation; table.py says which operation has which, and
products.py has those of products. Only calls that take data get here: an operation among constants is done
once, before the model is shipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from spikeseq.energy.auditing.operands import describe_constant
from spikeseq.energy.auditing.values import Edge
from spikeseq.ops.dyadic import is_small_dyadic

MATRIX, INPUT, ELEMENTWISE = "matrix product", "input layer", "element-wise product"
FUNCTION, NO_RULE = "function", "no rule"


class Verdict(NamedTuple):
    """What a rule says about one call."""

    edge: Edge = Edge.USE
    kind: str | None = None  # of the finding, if there is one
    why: str = ""
    tentative: bool = False
    moves: bool = False  # the result holds values of its operands, unchanged


class Call(Protocol):
    """One operation about to run, as a rule sees it."""

    name: str
    given: dict[str, Any]  # arguments by their name in the schema, defaults included

    def varies(self, x: Any) -> bool:
        """Whether ``x`` is a tensor that depends on the batch."""

    def is_raw(self, x: Any) -> bool:
        """Whether ``x`` is the batch itself, or moved, masked or cast."""

    def is_coded(self, x: Any) -> bool:
        """Whether ``x`` is the batch, or what a converter of at most 8 bits makes of it."""

    def is_length(self, x: Any) -> bool:
        """Whether ``x`` are integers that follow from integers of the batch alone."""

    def is_mask(self, x: Any) -> bool:
        """Whether ``x`` is 0 and 1 only and follows from constants or lengths."""

    def has_levels(self, slot: str, x: Tensor, fixed: bool = False) -> bool:
        """Whether ``x`` is ``k s``, ``|k| <= 31``, one s at every call of this line; ``fixed``: s = 2^e, ``|k| <= 16``."""

    def same(self, a: Any, b: Any) -> bool:
        """Whether two tensors are the same memory, seen the same way."""


Rule = Callable[[Call], Verdict]
OK, MOVE, THROUGH, STEP = Verdict(), Verdict(Edge.THROUGH, moves=True), Verdict(Edge.THROUGH), Verdict(Edge.STEP)


def no_dyadic(constant: Any) -> str:
    """Say why a product with a constant is found."""
    return f"product with {describe_constant(constant)}, no small dyadic number"


def hidden_factor(call: Call, name: str) -> Verdict | None:
    """Finding for a factor such as ``alpha``, None if it is a shift and few adds."""
    factor = call.given.get(name, 1)
    return None if is_small_dyadic(factor) else Verdict(kind=ELEMENTWISE, why=f"{name}: {no_dyadic(factor)}")


def add(call: Call) -> Verdict:
    """``a + alpha b``, ``a - alpha b``; rsub: ``b - alpha a``."""
    a, b = call.given["self"], call.given["other"]
    scaled = a if call.name == "rsub" else b
    hidden = hidden_factor(call, "alpha") if call.varies(scaled) else None
    if call.varies(a) and call.varies(b):
        if call.name != "add" and call.given.get("alpha", 1) == 1 and call.same(a, b):
            return Verdict(Edge.CUT)
        return hidden or OK
    if hidden:
        return hidden._replace(edge=Edge.THROUGH, tentative=True)
    zero = scaled is b and not call.varies(b) and not bool(torch.as_tensor(b).any())
    return MOVE if zero else THROUGH


def clip(call: Call) -> Verdict:
    """Bounds that are data make it a choice between data."""
    return OK if any(call.varies(call.given.get(bound)) for bound in ("min", "max")) else THROUGH


def compare(call: Call) -> Verdict:
    """With a constant; with data there is no threshold that could be divided beforehand."""
    others = [call.given[name] for name in ("self", "other", "values", "boundaries") if name in call.given]
    return STEP if sum(call.varies(x) for x in others) == 1 else OK


def cast(call: Call) -> Verdict:
    """To integers and to bool it rounds or compares."""
    copies = "src" in call.given
    source = call.given["src" if copies else "self"]
    to = call.given["self"].dtype if copies else call.given["dtype"]
    rounds = source.is_floating_point() and to is not None and not (to.is_floating_point or to.is_complex)
    return MOVE._replace(edge=Edge.STEP) if rounds else MOVE


def put(call: Call) -> Verdict:
    """Values written at an index, or added there."""
    return OK if call.given.get("accumulate") else MOVE


def escape(call: Call) -> Verdict:
    """A number that Python sees: a truth value is a comparison, a length is none of the signal."""
    x = call.given["self"]
    if x.dtype is torch.bool or call.is_length(x):
        return STEP
    return Verdict(kind=NO_RULE, why="data leaves the tensors as a Python number: what becomes of it is not seen")


def found(kind: str, why: str) -> Rule:
    """Always a finding."""
    return lambda call: Verdict(kind=kind, why=why)
