"""What each element-wise operation is in ONNX; products.py and shapes.py have the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from spikeseq.errors import ConversionError
from spikeseq.exchange.graph import Node, Ref
from spikeseq.exchange.onnx.builder import TYPES, Builder

Rule = Callable[[Builder, Node], "str | list[str]"]
RULES: dict[str, Rule] = {}


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Register the translation of operations."""

    def keep(function: Rule) -> Rule:
        RULES.update(dict.fromkeys((f"aten.{op}" for op in ops), function))
        return function

    return keep


def argument(node: Node, position: int, name: str, default: Any = None) -> Any:
    """An argument however it was passed."""
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def dtype_of(value: Any) -> Any:
    """Type of a tensor, None for a number."""
    return value.dtype if isinstance(value, Ref | Tensor) else None


def operands(b: Builder, values: list[Any]) -> list[str]:
    """Names of values brought to one type, that of the tensors among them."""
    kinds = {d for d in map(dtype_of, values) if d is not None}
    floats = sorted((d for d in kinds if d.is_floating_point), key=str)
    shared = floats[0] if floats else next((d for d in kinds if d != torch.bool), torch.bool)
    names = []
    for v in values:
        name = b.value(v, shared)
        names.append(name if dtype_of(v) in (None, shared) else b.add("Cast", name, to=TYPES[shared]))
    return names


BINARY = {
    "mul": "Mul", "div": "Div", "maximum": "Max", "minimum": "Min", "pow": "Pow", "ge": "GreaterOrEqual", "gt": "Greater",
    "le": "LessOrEqual", "lt": "Less", "eq": "Equal", "logical_and": "And", "logical_or": "Or",
}  # fmt: skip
UNARY = {
    "neg": "Neg", "abs": "Abs", "sign": "Sign", "floor": "Floor", "ceil": "Ceil", "round": "Round", "sigmoid": "Sigmoid",
    "tanh": "Tanh", "relu": "Relu", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "reciprocal": "Reciprocal",
    "logical_not": "Not",
}  # fmt: skip
SAME = ("detach", "alias", "clone", "contiguous", "lift_fresh", "positive")


@rule(*BINARY)
def _binary(b: Builder, node: Node) -> str:
    if node.kwargs.get("rounding_mode"):
        raise ConversionError("a division that rounds has no translation to ONNX here")
    return b.add(BINARY[node.op.removeprefix("aten.")], *operands(b, list(node.args[:2])))


@rule("add", "sub", "rsub")
def _sum(b: Builder, node: Node) -> str:
    first, second = operands(b, list(node.args[:2]))
    alpha = argument(node, 2, "alpha", 1)
    if alpha != 1:
        second = b.add("Mul", second, b.value(alpha, node.outputs[0].dtype))
    if node.op == "aten.rsub":
        first, second = second, first
    return b.add("Add" if node.op == "aten.add" else "Sub", first, second)


@rule(*UNARY)
def _unary(b: Builder, node: Node) -> str:
    return b.add(UNARY[node.op.removeprefix("aten.")], node.args[0])


@rule(*SAME)
def _same(b: Builder, node: Node) -> str:
    return b.value(node.args[0])


@rule("trunc")
def _trunc(b: Builder, node: Node) -> str:
    """ONNX has no truncation; floor of the magnitude is exact."""
    return b.add("Mul", b.add("Sign", node.args[0]), b.add("Floor", b.add("Abs", node.args[0])))


@rule("clamp", "clamp_min", "clamp_max")
def _clamp(b: Builder, node: Node) -> str:
    low = None if node.op == "aten.clamp_max" else argument(node, 1, "min")
    high = argument(node, 1, "max") if node.op == "aten.clamp_max" else argument(node, 2, "max")
    name = b.value(node.args[0])
    for kind, bound in (("Max", low), ("Min", high)):
        if bound is not None:
            name = b.add(kind, name, b.value(bound, node.outputs[0].dtype))
    return name


@rule("where")
def _where(b: Builder, node: Node) -> str:
    return b.add("Where", node.args[0], *operands(b, list(node.args[1:3])))


@rule("_to_copy")
def _cast(b: Builder, node: Node) -> str:
    return b.add("Cast", node.args[0], to=TYPES[node.outputs[0].dtype])
