"""What each product, sum, convolution and pooling is in ONNX."""

from __future__ import annotations

from typing import Any

import torch

from spikeseq.errors import ConversionError
from spikeseq.exchange.graph import Node
from spikeseq.exchange.onnx.builder import Builder
from spikeseq.exchange.onnx.ops import argument, rule


@rule("mm", "bmm", "matmul", "mv")
def _product(b: Builder, node: Node) -> str:
    return b.add("MatMul", *node.args[:2])


@rule("addmm", "baddbmm")
def _affine(b: Builder, node: Node) -> str:
    if node.kwargs:
        raise ConversionError(f"{node.op} with beta or alpha has no translation to ONNX here")
    return b.add("Add", b.add("MatMul", *node.args[1:3]), node.args[0])


@rule("sum", "mean", "amax", "amin")
def _reduce(b: Builder, node: Node) -> str:
    kinds = {"sum": "ReduceSum", "mean": "ReduceMean", "amax": "ReduceMax", "amin": "ReduceMin"}
    axes = argument(node, 1, "dim") or []
    keep = int(bool(argument(node, 2, "keepdim", False)))
    axes = [axes] if isinstance(axes, int) else axes
    return b.add(
        kinds[node.op.removeprefix("aten.")], node.args[0], *([b.integers(axes)] if axes else []), keepdims=keep
    )


@rule("cumsum")
def _cumsum(b: Builder, node: Node) -> str:
    return b.add("CumSum", node.args[0], b.constant(torch.tensor(argument(node, 1, "dim"))))


@rule("convolution")
def _convolution(b: Builder, node: Node) -> str:
    x, weight, bias, strides, padding, dilation, transposed, _, groups = node.args[:9]
    if transposed:
        raise ConversionError("a transposed convolution has no translation to ONNX here")
    inputs = [x, weight] if bias is None else [x, weight, bias]
    return b.add(
        "Conv", *inputs, strides=strides, pads=[*padding, *padding], dilations=dilation, group=groups,
        kernel_shape=list(weight.shape[2:]),
    )  # fmt: skip


@rule("max_pool2d", "max_pool2d_with_indices", "avg_pool2d")
def _pool(b: Builder, node: Node) -> list[str]:
    largest = node.op.startswith("aten.max")
    kernel = _pair(node.args[1])
    strides = _pair(argument(node, 2, "stride") or kernel)
    padding = _pair(argument(node, 3, "padding", 0))
    shared = {"kernel_shape": kernel, "strides": strides, "pads": [*padding, *padding]}
    if largest:
        dilations = _pair(argument(node, 4, "dilation", 1))
        ceil = argument(node, 5, "ceil_mode", False)
        return [b.add("MaxPool", node.args[0], dilations=dilations, ceil_mode=int(ceil), **shared)]
    ceil, counted = argument(node, 4, "ceil_mode", False), argument(node, 5, "count_include_pad", True)
    divisor = argument(node, 6, "divisor_override")
    if divisor is None:
        return [b.add("AveragePool", node.args[0], ceil_mode=int(ceil), count_include_pad=int(counted), **shared)]
    if ceil:  # what a window at the border is divided by depends on who runs the file
        raise ConversionError("avg_pool2d with divisor_override and ceil_mode has no translation to ONNX here")
    mean = b.add("AveragePool", node.args[0], count_include_pad=1, **shared)
    return [b.add("Mul", mean, b.constant(torch.tensor(kernel[0] * kernel[1] / divisor, dtype=node.args[0].dtype)))]


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value) * (2 if len(value) == 1 else 1)


@rule("embedding")
def _embedding(b: Builder, node: Node) -> str:
    return b.add("Gather", node.args[0], node.args[1], axis=0)
