"""One LSTM step as an ONNX model, state in and out, in float32 and dynamically quantised to int8."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

OPSET, IR = 17, 8  # old enough for every ONNX Runtime of the last years
OUTPUTS = ("h_next", "c_next")


def lstm_model(cell: torch.nn.LSTMCell) -> onnx.ModelProto:
    """``x [1, 1, I], h, c [1, 1, H] -> h_next, c_next``: one LSTM node over a sequence of one element."""
    w, r = cell.weight_ih.detach().numpy(), cell.weight_hh.detach().numpy()
    biases = (cell.bias_ih.detach().numpy(), cell.bias_hh.detach().numpy())
    arrays = {
        "W": _reordered(w)[None],
        "R": _reordered(r)[None],
        "B": np.concatenate(list(map(_reordered, biases)))[None],
    }
    node = helper.make_node("LSTM", ["x", "W", "R", "B", "", "h", "c"], ["", *OUTPUTS], hidden_size=cell.hidden_size)
    shapes = {"x": cell.input_size, **dict.fromkeys(("h", "c", *OUTPUTS), cell.hidden_size)}
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, n]) for name, n in shapes.items()}
    graph = helper.make_graph(
        [node], "lstm", [values[name] for name in "xhc"], [values[name] for name in OUTPUTS],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    onnx.checker.check_model(model)
    return model


def _reordered(gates: np.ndarray) -> np.ndarray:
    """PyTorch's i, f, g, o -> ONNX's i, o, f, c."""
    i, f, g, o = np.split(gates, 4)
    return np.concatenate([i, o, f, g])


def quantized(model: onnx.ModelProto, weights: QuantType) -> onnx.ModelProto:
    """The same with int8 weights and activations quantised at run time; raises RuntimeError if its LSTM is not int8."""
    logging.getLogger().addFilter(lambda entry: "pre-processing" not in entry.getMessage())
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        quantize_dynamic(source, target, weight_type=weights)
        made = onnx.load(target)
    kinds = [node.op_type for node in made.graph.node]
    if kinds != ["DynamicQuantizeLSTM"]:
        raise RuntimeError(f"quantize_dynamic made {kinds}, not one DynamicQuantizeLSTM")
    return made
