"""Rules of the audit for what multiplies: element-wise products, divisions, means, matrix products."""

from __future__ import annotations

import math
from typing import Any

from spikeseq.energy.auditing.operands import describe, describe_constant, is_power_of_two
from spikeseq.energy.auditing.ops import (
    ELEMENTWISE,
    FUNCTION,
    INPUT,
    MATRIX,
    MOVE,
    OK,
    THROUGH,
    Call,
    Rule,
    Verdict,
    hidden_factor,
    no_dyadic,
)
from spikeseq.energy.auditing.values import Edge
from spikeseq.ops.dyadic import is_small_dyadic


def times(call: Call, a: Any, b: Any) -> Verdict:
    """``a b``, one of them data, the other data, a constant tensor or a number."""
    if call.varies(a) and call.varies(b):
        if any(call.is_raw(x) and call.is_mask(y) for x, y in ((a, b), (b, a))):
            return MOVE
        if call.has_levels("a", a, fixed=True) or call.has_levels("b", b, fixed=True):
            return OK
        return Verdict(kind=ELEMENTWISE, why=f"data times data, neither of few levels: {describe(a)}")
    data, constant = (a, b) if call.varies(a) else (b, a)
    if call.is_raw(data) and call.is_mask(constant):
        return MOVE
    if is_small_dyadic(constant) or call.has_levels("data", data):
        return THROUGH
    return Verdict(Edge.THROUGH, ELEMENTWISE, no_dyadic(constant), tentative=True)


def mul(call: Call) -> Verdict:
    """``a b``."""
    return times(call, call.given["self"], call.given["other"])


def div(call: Call) -> Verdict:
    """``a / b``; rounded, it is a set of comparisons."""
    a, b = call.given["self"], call.given["other"]
    edge = Edge.STEP if call.given.get("rounding_mode") or call.name == "floor_divide" else Edge.THROUGH
    if call.varies(b):
        return Verdict(kind=ELEMENTWISE, why=f"division by data: {describe(b)}")
    if is_power_of_two(b) or call.has_levels("data", a):
        return Verdict(edge)
    return Verdict(edge, ELEMENTWISE, f"division by {describe_constant(b)}, no power of two", tentative=True)


def remainder(call: Call) -> Verdict:
    """``a mod b``: the low bits, if b is a power of two."""
    b = call.given["other"]
    if not call.varies(b) and is_power_of_two(b):
        return OK
    return Verdict(kind=ELEMENTWISE, why="remainder of a division by what is no constant power of two")


def power(call: Call) -> Verdict:
    """``a^p``: a product for whole p > 0, else a function."""
    base, p = call.given["self"], call.given.get("exponent", 2)
    if not (call.varies(base) and isinstance(p, int | float) and p > 0 and float(p).is_integer()):
        return Verdict(kind=FUNCTION, why="power with data in the exponent" if call.varies(p) else f"power {p} of data")
    return THROUGH if p == 1 else times(call, base, base)


def addcmul(call: Call) -> Verdict:
    """``self + value t1 t2``."""
    t1, t2 = call.given["tensor1"], call.given["tensor2"]
    if not (call.varies(t1) or call.varies(t2)):
        return THROUGH
    product = times(call, t1, t2)
    return product._replace(edge=Edge.USE, tentative=False) if product.kind else hidden_factor(call, "value") or OK


def addcdiv(call: Call) -> Verdict:
    """``self + value t1 / t2``."""
    t1, t2 = call.given["tensor1"], call.given["tensor2"]
    if not (call.varies(t1) or call.varies(t2)):
        return THROUGH
    if not call.varies(t2) and is_power_of_two(t2):
        return hidden_factor(call, "value") or OK
    said = describe(t2) if call.varies(t2) else describe_constant(t2)
    return Verdict(kind=ELEMENTWISE, why=f"division by {said}, no power of two")


def lerp(call: Call) -> Verdict:
    """``self + weight (end - self)``."""
    weight = call.given["weight"]
    if call.varies(weight):
        return times(call, weight, weight)  # fine for a gate of few levels
    return OK if is_small_dyadic(weight) else Verdict(kind=ELEMENTWISE, why=no_dyadic(weight))


def _average(n: float) -> Verdict:
    if is_power_of_two(n):
        return OK
    return Verdict(kind=ELEMENTWISE, why=f"mean over {n:g} elements: product with 1/{n:g}", tentative=True)


def mean(call: Call) -> Verdict:
    """Sum, then ``1 / n``."""
    x, dim = call.given["self"], call.given.get("dim")
    dims = [dim] if isinstance(dim, int) else dim or range(x.dim())
    return _average(math.prod(x.shape[d] for d in dims))


def avg_pool(call: Call) -> Verdict:
    """Sum of each window, then 1 / its size."""
    kernel, axes = call.given["kernel_size"], int(call.name[-2])
    return _average(call.given.get("divisor_override") or math.prod(kernel if len(kernel) > 1 else [*kernel] * axes))


def slope(name: str) -> Rule:
    """A line bent by comparisons: times the constant argument ``name`` on one side."""
    return lambda call: times(call, call.given["self"], call.given[name])


def matrix(first: str, second: str) -> Rule:
    """Matrix product or convolution of the arguments ``first`` and ``second``, plus ``self`` if that is neither."""

    def rule(call: Call) -> Verdict:
        a, b = call.given[first], call.given[second]
        hidden = hidden_factor(call, "beta") if first != "self" and call.varies(call.given.get("self")) else None
        if call.varies(a) and call.varies(b):
            if call.has_levels(first, a, fixed=True) or call.has_levels(second, b, fixed=True):
                return hidden or hidden_factor(call, "alpha") or OK
            return Verdict(kind=MATRIX, why=f"data times data, {describe(a)}")
        if call.varies(a) or call.varies(b):
            (slot, data), weight = ((first, a), b) if call.varies(a) else ((second, b), a)
            # a scale of the data folds into the weights; a scale of ternary weights would fold into nothing
            if not call.has_levels(slot, data) and not call.has_levels("weight", weight, fixed=True):
                return Verdict(kind=INPUT if call.is_coded(data) else MATRIX, why=describe(data))
        return hidden or OK

    return rule


def fused_linear(call: Call) -> Verdict:
    """``X W^T + B`` of oneDNN with a function behind it."""
    if call.given["attr"] not in ("none", "relu"):
        return Verdict(kind=FUNCTION, why=f"{call.given['attr']} of data, fused into a product")
    return matrix("X", "W")(call)
