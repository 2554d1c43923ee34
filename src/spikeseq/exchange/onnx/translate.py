"""A recorded graph, operation by operation, in ONNX."""

from __future__ import annotations

from typing import Any

from onnx import helper
from torch import Tensor

from spikeseq.errors import ConversionError
from spikeseq.exchange.graph import LOOP, Graph, Loop, Node, Ref, Size
from spikeseq.exchange.onnx import products, shapes
from spikeseq.exchange.onnx.builder import TYPES, Builder
from spikeseq.exchange.onnx.ops import RULES

REGISTERED = (products, shapes)  # by importing them


def run(b: Builder, graph: Graph) -> list[str]:
    """Append a graph's operations, whose inputs have names; return the names of its outputs, each one its own."""
    needed, zeros = _needed(graph), _zeros(graph)
    for node in graph.nodes:
        if not any(o.number in needed for o in node.outputs):
            continue
        plain = _without(node, zeros)
        if plain is not None:
            b.names[node.outputs[0].number] = b.value(plain)
            continue
        names = _translate(b, node)
        for ref, name in zip(node.outputs, names, strict=False):
            b.names[ref.number] = name
    return [b.add("Identity", value) for value in graph.outputs]


def _translate(b: Builder, node: Node) -> list[str]:
    from spikeseq.exchange.onnx.loops import loop

    if node.op == LOOP:
        return loop(b, node)
    if node.op not in RULES:
        raise ConversionError(
            f"operation {node.op} has no translation to ONNX: spikeseq.exchange.onnx.ops.rule adds one"
        )
    names = RULES[node.op](b, node)
    return [names] if isinstance(names, str) else names


def _refs(value: Any) -> list[int]:
    """Numbers of the tensors that arguments hold; a loop's body has tensors of its own."""
    if isinstance(value, Ref):
        return [value.number]
    if isinstance(value, Loop):
        return _refs([value.x, *value.state])
    if isinstance(value, list | tuple):
        return [number for v in value for number in _refs(v)]
    return []


def _zeros(graph: Graph) -> set[int]:
    """Differences of a tensor and itself: what is left of a straight-through gradient in the value."""
    same: dict[int, int] = {}
    found: set[int] = set()
    for node in graph.nodes:
        if node.op in ("aten.detach", "aten.alias") and isinstance(node.args[0], Ref):
            number = node.args[0].number
            same[node.outputs[0].number] = same.get(number, number)
        if node.op == "aten.sub" and all(isinstance(a, Ref) for a in node.args[:2]):
            left, right = (same.get(a.number, a.number) for a in node.args[:2])
            if left == right:
                found.add(node.outputs[0].number)
    return found


def _without(node: Node, zeros: set[int]) -> Any:
    """The other term of a sum with such a difference, if it is of the sum's shape."""
    if node.op != "aten.add" or len(node.args) != 2:
        return None
    for term, other in (node.args, node.args[::-1]):
        if isinstance(term, Ref) and term.number in zeros and isinstance(other, Ref | Tensor):
            return other if tuple(other.shape) == node.outputs[0].shape else None
    return None


def _needed(graph: Graph) -> set[int]:
    """Numbers of the tensors that the outputs depend on."""
    zeros, needed = _zeros(graph), set(_refs(list(graph.outputs)))
    for node in reversed(graph.nodes):
        if any(o.number in needed for o in node.outputs):
            plain = _without(node, zeros)
            needed.update(_refs([*node.args, *node.kwargs.values()] if plain is None else [plain]))
    return needed


def shape_of(ref: Ref) -> list[Any]:
    """Shape of an input or output: numbers, and "batch" or "length"."""
    return [_axis(n) for n in ref.shape]


def _axis(n: Any) -> Any:
    if not isinstance(n, Size):
        return n
    plain = n.factor == 1 and n.offset == 0 and n.of != "BL"
    return {"B": "batch", "L": "length"}[n.of] if plain else None


def typed(name: str, dtype: Any, shape: list[Any] | None) -> Any:
    """Name, type and shape of an input or output."""
    return helper.make_tensor_value_info(name, TYPES[dtype], shape)
