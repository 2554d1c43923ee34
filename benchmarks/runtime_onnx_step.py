"""ONNX Runtime's LSTM as a contender.

Weights come from a ``torch.nn.LSTMCell``, and the first step is compared with it. An ONNX Runtime user has several ways to
call a session and several kinds of int8 weights: all are tried, the fastest is taken.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType

from runtime_onnx import OUTPUTS, lstm_model, quantized
from runtime_timing import Contender

TRIALS = 60
LARGEST_ERROR = {"fp32": 1e-4, "int8": 0.5}  # of h and c after one step: the same network, nothing about its quality


class Choice(NamedTuple):
    """A contender and how it was chosen."""

    contender: Contender
    how: str  # weights and call
    error: float  # largest difference of h, c from PyTorch's after the first step


def fp32(inputs: int, hidden: int, x: np.ndarray) -> Choice:
    cell = torch.nn.LSTMCell(inputs, hidden)
    return _fastest(cell, {"fp32": lstm_model(cell)}, x, LARGEST_ERROR["fp32"])


def int8(inputs: int, hidden: int, x: np.ndarray) -> Choice:
    cell = torch.nn.LSTMCell(inputs, hidden)
    kinds = {"s8 weights": QuantType.QInt8, "u8 weights": QuantType.QUInt8}
    models = {name: quantized(lstm_model(cell), kind) for name, kind in kinds.items()}
    return _fastest(cell, models, x, LARGEST_ERROR["int8"])


def _fastest(cell: torch.nn.LSTMCell, models: Mapping[str, onnx.ModelProto], x: np.ndarray, limit: float) -> Choice:
    """Try every model with every call; interleaved, and judged by the median."""
    expected = [state.detach().numpy()[None] for state in cell(torch.from_numpy(x[:1]))]
    calls, errors = {}, {}
    for name, model in models.items():
        session = _session(model)
        for way, make in (("run", _run), ("io binding", _bound)):
            step, state = make(session, cell.hidden_size)
            step(x[None, None, 0])
            error = max(float(np.abs(a - b).max()) for a, b in zip(state(), expected, strict=True))
            if not error <= limit:
                raise RuntimeError(f"ONNX Runtime, {name}, {way}: its first step differs by {error:.2g} from PyTorch's")
            calls[f"{name}, {way}"], errors[f"{name}, {way}"] = step, error
    inputs = [np.ascontiguousarray(element)[None, None] for element in x]
    times: dict[str, list[float]] = {how: [] for how in calls}
    for n in range(TRIALS):
        for how, step in calls.items():
            for _ in range(2):  # the second in its own cache
                start = time.perf_counter()
                step(inputs[n % len(inputs)])
                took = time.perf_counter() - start
            times[how].append(took)
    best = min(times, key=lambda how: statistics.median(times[how]))
    return Choice(Contender(calls[best], inputs), best, errors[best])


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


Step = tuple[Callable[[np.ndarray], object], Callable[[], list[np.ndarray]]]  # the call, and what reads its state


def _run(session: Any, hidden: int) -> Step:
    feed = {"h": np.zeros((1, 1, hidden), np.float32), "c": np.zeros((1, 1, hidden), np.float32)}

    def step(x: np.ndarray) -> None:
        feed["h"], feed["c"] = session.run(OUTPUTS, {"x": x, **feed})

    return step, lambda: [feed["h"], feed["c"]]


def _bound(session: Any, hidden: int) -> Step:
    """Two sets of state arrays that change roles at every step: nothing is allocated or copied but x."""
    value = onnxruntime.OrtValue.ortvalue_from_numpy
    sets = [[value(np.zeros((1, 1, hidden), np.float32)) for _ in "hc"] for _ in range(2)]
    x_value = value(np.zeros((1, 1, session.get_inputs()[0].shape[-1]), np.float32))
    bindings = []
    for source, target in (sets, sets[::-1]):
        binding = session.io_binding()
        for name, kept in zip("xhc", (x_value, *source), strict=True):
            binding.bind_ortvalue_input(name, kept)
        for name, kept in zip(OUTPUTS, target, strict=True):
            binding.bind_ortvalue_output(name, kept)
        bindings.append(binding)
    turn = 0

    def step(x: np.ndarray) -> None:
        nonlocal turn
        x_value.update_inplace(x)
        session.run_with_iobinding(bindings[turn])
        turn ^= 1

    return step, lambda: [kept.numpy() for kept in sets[turn]]
