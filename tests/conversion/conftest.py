"""Fixtures of the conversion tests: a trained float model and its data, and uninitialised memory that is NaN."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from spikeseq import data
from spikeseq.conversion import rules
from spikeseq.data import SequenceData
from spikeseq.ops import fuse


class Reader(nn.Module):
    """A user's model: keeps the state it unpacks, reads out of ``h``."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"inner": nn.Sequential(nn.Identity(), nn.LSTM(8, hidden, batch_first=True))})
        self.head = nn.Linear(hidden, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out, (h, c) = self.encoder["inner"](x)
        assert h.shape == (1, len(x), out.shape[-1])
        assert len(c) == 1
        return self.head(h[-1])


@pytest.fixture(autouse=True)
def never_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tests do not wait for a compiler."""
    monkeypatch.setattr(fuse, "COMPILE_FROM", 1 << 60)


@pytest.fixture(autouse=True, scope="module")
def nan_memory() -> Iterator[None]:
    """``torch.empty`` gives NaN inside the module's tests."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def digits() -> SequenceData:
    """Digits by rows, 8 x 8."""
    return data.load("digits", order="rows")


@pytest.fixture(scope="session")
def trained(digits: SequenceData) -> nn.Module:
    """A float model trained in plain PyTorch; tests must not change it."""
    torch.manual_seed(0)
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(8):
        for rows in torch.randperm(len(digits.train.y)).split(64):
            loss = nn.functional.cross_entropy(model(digits.train.x[rows]), digits.train.y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


@pytest.fixture
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers that a test registers are forgotten after it."""
    monkeypatch.setattr(rules, "_HANDLERS", dict(rules._HANDLERS))


def make_dyadic(model: nn.Module) -> nn.Module:
    """Round weights to multiples of 1/16 up to 2, so that sums and products of spikes with them are exact."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "weight" in name or "bias" in name:
                value.copy_((value * 64).round().clamp(-32, 32) / 16)
    return model


@pytest.fixture
def dyadic():
    """The function that makes a model's weights dyadic."""
    return make_dyadic
