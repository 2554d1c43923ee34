"""Matrix products of the engine: one place that knows which CPU kernel is fast.

On CPU in float32, oneDNN's product was 1.4-2.9x faster than ``torch.mm`` (MKL) at the engine's sizes on the AMD machine
this was written on (``make bench`` prints both rates), and slower at tiny ones; PyTorch reaches it through
``torch.ops.mkldnn``. Everywhere else: ``F.linear``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_MIN_MULTIPLIES = 1 << 15  # below this the call's overhead decides, not the kernel


def _onednn_usable(a: Tensor, w: Tensor) -> bool:
    return (
        a.device.type == "cpu"
        and a.dtype == w.dtype == torch.float32
        and a.shape[0] * w.numel() >= _MIN_MULTIPLIES
        and torch.backends.mkldnn.is_available()
        and not torch.compiler.is_compiling()
    )


def product(a: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    """``a [M, K] @ w [N, K].T + bias [N] -> [M, N]``, without autograd."""
    if _onednn_usable(a, w):
        return torch.ops.mkldnn._linear_pointwise(a, w, bias, "none", [], "")
    return F.linear(a, w, bias)


def weight_gradient(grad: Tensor, x: Tensor) -> Tensor:
    """``grad [M, N].T @ x [M, K] -> [N, K]``: the gradient of a weight, over all rows in one product."""
    return product(x.t(), grad.t()).t()
