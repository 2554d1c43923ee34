"""Fixtures of the tests of floor ops: uninitialised memory is NaN, so that reading it shows."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def nan_memory() -> Iterator[None]:
    """``torch.empty`` gives NaN inside the module's tests."""
    torch.use_deterministic_algorithms(True)
    assert torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.use_deterministic_algorithms(False)
