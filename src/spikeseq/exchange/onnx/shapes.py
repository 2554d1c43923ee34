"""What each operation that rearranges or makes tensors is in ONNX."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spikeseq.exchange.graph import Node, Ref
from spikeseq.exchange.onnx.builder import TYPES, Builder
from spikeseq.exchange.onnx.ops import argument, rule

END = torch.iinfo(torch.int64).max


def rank(x: Ref | Tensor) -> int:
    """Number of axes."""
    return len(x.shape)


@rule("view", "_unsafe_view", "reshape", "flatten", "unflatten")
def _view(b: Builder, node: Node) -> str:
    return b.add("Reshape", node.args[0], b.integers(node.outputs[0].shape))


@rule("expand")
def _expand(b: Builder, node: Node) -> str:
    return b.add("Expand", node.args[0], b.integers(node.outputs[0].shape))


@rule("permute", "transpose", "t")
def _permute(b: Builder, node: Node) -> str:
    axes = list(range(rank(node.args[0])))
    if node.op == "aten.permute":
        axes = [a % len(axes) for a in node.args[1]]
    else:
        i, j = (0, 1) if node.op == "aten.t" else (node.args[1] % len(axes), node.args[2] % len(axes))
        axes[i], axes[j] = (axes[j], axes[i]) if len(axes) > 1 else (0, 0)
    return b.add("Transpose", node.args[0], perm=axes)


@rule("unsqueeze")
def _unsqueeze(b: Builder, node: Node) -> str:
    return b.add("Unsqueeze", node.args[0], b.integers([node.args[1] % (rank(node.args[0]) + 1)]))


@rule("squeeze")
def _squeeze(b: Builder, node: Node) -> str:
    if rank(node.args[0]) == rank(node.outputs[0]):
        return b.value(node.args[0])
    return b.add("Reshape", node.args[0], b.integers(node.outputs[0].shape))


@rule("select")
def _select(b: Builder, node: Node) -> str:
    x, axis, index = node.args[:3]
    if not isinstance(index, int):  # the last of a sequence, L - 1
        index = -1 if index.offset == -1 else index
    return b.add("Gather", x, index if isinstance(index, str) else b.value(index, torch.int64), axis=axis % rank(x))


@rule("slice")
def _slice(b: Builder, node: Node) -> str:
    axis = argument(node, 1, "dim", 0)
    start, end, step = argument(node, 2, "start") or 0, argument(node, 3, "end"), argument(node, 4, "step", 1)
    return _cut(b, node.args[0], axis % rank(node.args[0]), start, END if end is None else end, step)


def _cut(b: Builder, x: Any, axis: int, start: Any, end: Any, step: int = 1) -> str:
    return b.add("Slice", x, b.integers([start]), b.integers([end]), b.integers([axis]), b.integers([step]))


@rule("split", "split_with_sizes", "chunk")
def _split(b: Builder, node: Node) -> list[str]:
    axis = argument(node, 2, "dim", 0) % rank(node.args[0])
    sizes = b.integers([o.shape[axis] for o in node.outputs])
    return b.several("Split", len(node.outputs), node.args[0], sizes, axis=axis)


@rule("unbind")
def _unbind(b: Builder, node: Node) -> list[str]:
    x, axis = node.args[0], argument(node, 1, "dim", 0) % rank(node.args[0])
    return [b.add("Gather", x, b.value(i, torch.int64), axis=axis) for i in range(len(node.outputs))]


@rule("cat")
def _cat(b: Builder, node: Node) -> str:
    return b.add("Concat", *node.args[0], axis=argument(node, 1, "dim", 0) % rank(node.outputs[0]))


@rule("stack")
def _stack(b: Builder, node: Node) -> str:
    axis = argument(node, 1, "dim", 0) % rank(node.outputs[0])
    rows = [b.add("Unsqueeze", x, b.integers([axis])) for x in node.args[0]]
    return b.add("Concat", *rows, axis=axis)


@rule("flip")
def _flip(b: Builder, node: Node) -> str:
    name = b.value(node.args[0])
    for axis in node.args[1]:
        name = _cut(b, name, axis % rank(node.args[0]), -1, -END, -1)
    return name


@rule("unfold")
def _unfold(b: Builder, node: Node) -> str:
    """Windows that move by one: slice j holds element j of each."""
    x, axis, size, step = node.args[:4]
    if step != 1:
        raise ValueError("windows that do not overlap")
    last = b.integers([rank(x)])
    slices = [_cut(b, x, axis % rank(x), j, END if j == size - 1 else j + 1 - size) for j in range(size)]
    return b.add("Concat", *(b.add("Unsqueeze", s, last) for s in slices), axis=rank(x))


@rule("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
def _filled(b: Builder, node: Node) -> str:
    kind = node.op.removeprefix("aten.")
    value: Any = {"zeros": 0, "ones": 1}.get(kind.replace("new_", "").replace("_like", ""))
    if value is None:
        value = node.args[1 if kind == "full_like" else 2]
    made = node.outputs[0]
    scalar = b.value(value, made.dtype)  # a Size comes as [1]
    if not any(not isinstance(n, int) for n in made.shape) and isinstance(value, int | float):
        return b.constant(torch.full(made.shape, value, dtype=made.dtype))
    return b.add("Expand", scalar, b.integers(made.shape))


@rule("arange")
def _arange(b: Builder, node: Node) -> str:
    scalar = b.add("Squeeze", b.value(node.args[0], torch.int64))
    counted = b.add("Range", b.value(0, torch.int64), scalar, b.value(1, torch.int64))
    return b.add("Cast", counted, to=TYPES[node.outputs[0].dtype])
