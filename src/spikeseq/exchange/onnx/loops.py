"""A loop along the sequence: ONNX's own LSTM and GRU where it is one, else Scan over the step."""

from __future__ import annotations

from typing import Any

import torch
from onnx import helper
from torch import Tensor

from spikeseq.exchange.graph import Loop, Node
from spikeseq.exchange.onnx.builder import Builder
from spikeseq.exchange.onnx.translate import run, shape_of, typed
from spikeseq.ops.cells.gru import GRUStep
from spikeseq.ops.cells.lstm import LSTMStep


def loop(b: Builder, node: Node) -> list[str]:
    """Names of the output and of the last state."""
    found: Loop = node.args[0]
    if found.weight is not None and found.recurrent is not None and isinstance(found.step, LSTMStep | GRUStep):
        return _own(b, found)
    drive = b.value(found.x)
    if found.weight is not None:
        drive = b.add("MatMul", drive, b.constant(found.weight.detach().t()))
        drive = drive if found.bias is None else b.add("Add", drive, found.bias.detach())
    inner, body = Builder(b), found.body
    first, *rest = body.inputs
    for ref in body.inputs:
        inner.names[ref.number] = inner.fresh("element" if ref is first else "state")
    output, *new = run(inner, body)
    graph = helper.make_graph(
        inner.nodes, b.fresh("body"),
        [typed(inner.names[ref.number], ref.dtype, shape_of(ref)) for ref in (*rest, first)],
        [typed(name, torch.float32, None) for name in (*new, output)],
    )  # fmt: skip
    last = b.several("Scan", len(new) + 1, *found.state, drive, body=graph, num_scan_inputs=1)
    return [last[-1], *last[:-1]]


def _blocks(value: Tensor, order: list[int], of: int) -> Tensor:
    """Blocks of rows in another order."""
    parts = value.detach().chunk(of)
    return torch.cat([parts[i] for i in order])


def _own(b: Builder, found: Loop) -> list[str]:
    """LSTM: blocks i, f, g, o -> i, o, f, c. GRU: input blocks n, r, z, 0, recurrent r, z, n -> z, r, h."""
    weight, recurrent = found.weight, found.recurrent
    assert weight is not None
    assert recurrent is not None
    lstm = isinstance(found.step, LSTMStep)
    hidden = recurrent.shape[1]
    bias = weight.new_zeros(4 * hidden) if found.bias is None else found.bias.detach()
    if lstm:
        order = [0, 3, 1, 2]
        w, r = _blocks(weight, order, 4), _blocks(recurrent, order, 4)
        both = torch.cat([_blocks(bias, order, 4), torch.zeros_like(bias)])
    else:
        w, r = _blocks(weight, [2, 1, 0], 4), _blocks(recurrent, [1, 0, 2], 3)
        rest = bias.new_zeros(2 * hidden)
        both = torch.cat([_blocks(bias, [2, 1, 0], 4), rest, bias[3 * hidden :]])
    axis, more = b.integers([0]), {} if lstm else {"linear_before_reset": 1}
    start = [b.add("Unsqueeze", s, axis) for s in found.state]
    inputs: list[Any] = [found.x, w.unsqueeze(0), r.unsqueeze(0), both.unsqueeze(0), "", *start]
    output, *last = b.several("LSTM" if lstm else "GRU", 1 + len(start), *inputs, hidden_size=hidden, **more)
    return [b.add("Squeeze", output, b.integers([1])), *(b.add("Squeeze", name, axis) for name in last)]
