"""Run ONNX files; networks of membranes with parameters that differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikeseq import nn as snn


def session(model: Any) -> Any:
    """ONNX Runtime, one thread, without rewriting that changes roundings."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@pytest.fixture(name="whole", scope="session")
def whole_fixture() -> Callable[[Any, Tensor], np.ndarray]:
    """A function: ONNX model of whole sequences, x [B, L, ..] -> its output."""
    return lambda model, x: session(model).run(None, {"x": x.numpy()})[0]


@pytest.fixture(name="stepwise", scope="session")
def stepwise_fixture() -> Callable[[Any, Tensor], tuple[np.ndarray, list[np.ndarray]]]:
    """A function: ONNX model of a step, x [B, L, ..] -> outputs of all elements [B, L, ..], and the last state."""

    def run(model: Any, x: Tensor) -> tuple[np.ndarray, list[np.ndarray]]:
        running = session(model)
        _, *states = running.get_inputs()
        assert [s.name.replace("state", "next", 1) for s in states] == [o.name for o in running.get_outputs()[1:]]
        state = {s.name: np.zeros([len(x) if d == "batch" else d for d in s.shape], np.float32) for s in states}
        outputs = []
        for n in range(x.shape[1]):
            output, *new = running.run(None, {"x": x[:, n].numpy(), **state})
            outputs.append(output)
            state = dict(zip(state, new, strict=True))
        return np.stack(outputs, 1), list(state.values())

    return run


def spread(model: nn.Module, dyadic: bool) -> nn.Module:
    """Weights, thresholds and leaks that differ; ``dyadic``: so coarse that sums of them are exact in float32."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("threshold"):
                p.copy_(torch.randint(4, 9, p.shape) / 8)
            elif name.endswith("leak"):
                p.copy_(torch.randint(4, 8, p.shape) / 8)
            else:
                p.copy_(
                    torch.randint(-8, 9, p.shape) / 8 if dyadic else 1.5 * torch.randn(p.shape) / p.shape[-1] ** 0.5
                )
    return model.eval()


@pytest.fixture(name="spread", scope="session")
def spread_fixture() -> Callable[[nn.Module, bool], nn.Module]:
    return spread


@pytest.fixture
def membranes() -> nn.Module:
    """Linear, LIF, Linear, CubaLIF, Linear, IF: 6 -> 3 units, reset to zero as NIR has it."""
    layers = [
        nn.Linear(6, 20), snn.LIF(20, reset="zero"), nn.Linear(20, 10), snn.CubaLIF(10, reset="zero"), nn.Linear(10, 3),
        snn.IF(3, reset="zero"),
    ]  # fmt: skip
    return spread(snn.Sequential(*layers, batch_first=True), dyadic=True)
