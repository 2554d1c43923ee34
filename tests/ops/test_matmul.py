"""Products of the engine: the fast kernel and the plain one agree, whatever the strides."""

import pytest
import torch

from spikeseq.ops import matmul

SIZES = [(1, 1, 1), (3, 5, 7), (33, 40, 65), (128, 17, 31), (1, 256, 200)]  # both sides of the kernel's limit


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("m", "n", "k"), SIZES)
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("strided", [False, True])
def test_product(m, n, k, dtype, biased, strided):
    torch.manual_seed(m)
    a, w = torch.randn(m, k, dtype=dtype), torch.randn(n, k, dtype=dtype)
    if strided:
        a, w = a.t().contiguous().t(), w.t().contiguous().t()
    bias = torch.randn(n, dtype=dtype) if biased else None
    expected = a.double() @ w.double().t() + (0 if bias is None else bias.double())
    found = matmul.product(a, w, bias)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-4 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize(("m", "n", "k"), SIZES)
def test_weight_gradient(m, n, k):
    grad, x = torch.randn(m, n), torch.randn(m, k)
    expected = grad.double().t() @ x.double()
    torch.testing.assert_close(matmul.weight_gradient(grad, x).double(), expected, rtol=0, atol=1e-4)


def test_the_fast_kernel_is_for_large_float32_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    large, small = torch.ones(200, 200), torch.ones(4, 4)
    assert matmul._onednn_usable(large, large)
    assert not matmul._onednn_usable(small, small)
    assert not matmul._onednn_usable(large.double(), large.double())
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not matmul._onednn_usable(large, large)
