"""A model as an ONNX file: one element with its state in and out, or whole sequences; batch size and length are free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import onnx
import torch
from onnx import helper
from torch import Tensor, nn

from spikeseq import __version__
from spikeseq.errors import ConfigError, nearest
from spikeseq.exchange.graph import Graph
from spikeseq.exchange.merge import SIZES, merge
from spikeseq.exchange.models import Functions, example, functions
from spikeseq.exchange.onnx.builder import Builder
from spikeseq.exchange.onnx.translate import run, shape_of, typed
from spikeseq.exchange.record import record
from spikeseq.exchange.states import leaves, rebuild
from spikeseq.report.atomic import write_atomic

Form = Literal["step", "whole"]
OPSET, IR = 18, 8  # what ONNX Runtime from 1.14 on reads


def to_onnx(
    model: nn.Module, path: str | Path | None = None, form: Form = "step", element_shape: Sequence[int] | None = None
) -> Any:
    """Return a model as an ``onnx.ModelProto``, checked, and write it to ``path`` where that is given.

    form "step"    inputs ``x [B, ..]`` (one element) and ``state.*``; outputs ``output [B, ..]`` and ``next.*``, to be fed
                   back as ``state.*``. A sequence starts at zeros. A classifier's output is that of the elements so far
    form "whole"   input ``x [B, L, ..]``, output as of the model; the loop along the sequence is an operator (LSTM, GRU,
                   Scan), so that the file does not grow with L. All rows of a batch have one length
    element_shape  of a Sequential whose first layer does not tell

    float32, opset 18. Only evaluation: dropout is left out.

    Raises:
        ConfigError: a model of another kind or type, or one that cannot run element by element.
        ConversionError: an operation has no translation.
        OSError: the file cannot be written.
    """
    if form not in ("step", "whole"):
        raise ConfigError(f"form={form!r}: {nearest(str(form), ('step', 'whole'))}")
    wrong = next((p.dtype for p in model.parameters() if p.dtype != torch.float32), None)
    if wrong is not None:
        raise ConfigError(f"model holds {wrong}: ONNX export takes float32; pass model.float()")
    found = functions(model, element_shape)
    graph, states = (_step if form == "step" else _whole)(found)
    made = _model(graph, states, form)
    onnx.checker.check_model(made, full_check=True)
    if path is not None:
        write_atomic(path, made.SerializeToString())
    return made


def _step(found: Functions) -> tuple[Graph, list[str]]:
    """One element, and the names of the parts of the state."""
    graphs, names = [], []
    for batch in (SIZES[0][0], SIZES[1][0]):
        with torch.no_grad():
            state: Any = found.step(example(found, batch), None)[1]
        names = [name for name, _ in leaves(state)]
        start = [torch.zeros_like(value) for _, value in leaves(state)]

        def advance(x: Tensor, *values: Tensor, like: Any = state) -> list[Tensor]:
            output, new = found.step(x, rebuild(like, list(values)))
            return [output, *(value for _, value in leaves(new))]

        graphs.append(record(advance, [example(found, batch), *start], loops=False))
    return merge([*graphs, graphs[0]]), names


def _whole(found: Functions) -> tuple[Graph, list[str]]:
    """Whole sequences; no state."""
    return merge([record(lambda x: [found.whole(x)], [example(found, *sizes)], loops=True) for sizes in SIZES]), []


def _model(graph: Graph, states: list[str], form: Form) -> Any:
    b = Builder()
    x, *rest = graph.inputs
    inputs = ["x", *(f"state.{name}".rstrip(".") for name in states)]
    outputs = ["output", *(f"next.{name}".rstrip(".") for name in states)]
    b.names = {ref.number: name for ref, name in zip((x, *rest), inputs, strict=True)}
    whole = b.add("Shape", "x")
    for i, name in enumerate(("B",) if form == "step" else ("B", "L")):
        b.sizes[name] = b.add("Slice", whole, b.integers([i]), b.integers([i + 1]))
    if form == "whole":
        b.sizes["BL"] = b.add("Mul", b.sizes["B"], b.sizes["L"])
    ends = run(b, graph)
    for end, name in zip(ends, outputs, strict=True):
        b.nodes.append(helper.make_node("Identity", [end], [name]))
    made = helper.make_graph(
        b.nodes, f"spikeseq_{form}",
        [typed(name, ref.dtype, shape_of(ref)) for name, ref in zip(inputs, graph.inputs, strict=True)],
        [typed(name, v.dtype, shape_of(v)) for name, v in zip(outputs, graph.outputs, strict=True)],
        initializer=list(b.constants.values()),
    )  # fmt: skip
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="spikeseq",
        producer_version=__version__,
    )  # fmt: skip
    helper.set_model_props(model, {"form": form, "start": "zeros"})
    return model
