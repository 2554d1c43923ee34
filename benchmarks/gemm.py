"""Rates of the two matrix products that spikeseq.ops.matmul chooses between, at the shapes of the engine."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rounds import interleave

CALLS = 4  # products in one timed call, at least


def rates(batch: int, inputs: int, hidden: int, rounds: int) -> list[dict[str, Any]]:
    """Time both products, one row per shape: GFLOP/s of the best round, median ratio of mm's time to oneDNN's."""
    elements = max(1, (1 << 21) // (4 * hidden * batch))  # of a chunk of the engine
    shapes = {  # rows, columns of the result, length of the sums
        "U h, one element": (batch, 4 * hidden, hidden),
        "U h, one element, T=2": (2 * batch, 4 * hidden, hidden),
        "U^T da, one element": (batch, hidden, 4 * hidden),
        "W x, one chunk": (elements * batch, 4 * hidden, inputs),
        "gradient of U, one chunk": (hidden, 4 * hidden, elements * batch),
    }
    return [{"H": hidden, "product": name, **_rate(*shape, rounds)} for name, shape in shapes.items()]


def _rate(m: int, n: int, k: int, rounds: int) -> dict[str, Any]:
    a, w = torch.randn(m, k), torch.randn(n, k)
    work = 2 * m * n * k
    repeat = max(CALLS, int(2e8 // work))  # a call shorter than a few milliseconds would measure the clock
    one_dnn = _one_dnn()
    calls = {"mm": _repeated(lambda: torch.mm(a, w.t()), repeat)}
    if one_dnn is not None:
        calls["oneDNN"] = _repeated(lambda: one_dnn(a, w), repeat)
    times = interleave(calls, rounds)
    row: dict[str, Any] = {"M x N x K": f"{m} x {n} x {k}"}
    for name in calls:
        row[f"{name} GFLOP/s"] = work * repeat / min(t[name].wall for t in times) / 1e9
    if one_dnn is not None:
        row["mm / oneDNN"] = statistics.median(t["mm"].wall / t["oneDNN"].wall for t in times)
    return row


def _repeated(call: Callable[[], object], times: int) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(times):
            call()

    return repeated


def _one_dnn() -> Callable[[Tensor, Tensor], Tensor] | None:
    """oneDNN's ``a w^T``, or None where this PyTorch has none."""
    if not torch.backends.mkldnn.is_available():
        return None
    return lambda a, w: torch.ops.mkldnn._linear_pointwise(a, w, None, "none", [], "")
