"""The models that are compared, each a layer and a classifier on its last output, and one training step of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikeseq.nn import LSTM, HardLSTM, QuantizedLSTM, SpikingLSTM, StreamLSTM

BASELINE = "nn.LSTM"
CLASSES = 35  # Google Speech Commands
Build = Callable[[int, int], nn.Module]  # I, H -> layer that returns (outputs, state)


def quantized(time_steps: int) -> Build:
    return lambda inputs, hidden: QuantizedLSTM(inputs, hidden, time_steps=time_steps)


def spiking(time_steps: int) -> Build:
    return lambda inputs, hidden: SpikingLSTM(inputs, hidden, time_steps=time_steps)


# "LSTM (engine)" is nn.LSTM's own equation through spikeseq's scan: what the engine costs, apart from any spiking
LAYERS: dict[str, Build] = {
    BASELINE: lambda inputs, hidden: nn.LSTM(inputs, hidden),
    "nn.GRU": lambda inputs, hidden: nn.GRU(inputs, hidden),
    "LSTM (engine)": lambda inputs, hidden: LSTM(inputs, hidden),
    "HardLSTM": lambda inputs, hidden: HardLSTM(inputs, hidden),
    "QuantizedLSTM T=2": quantized(2),
    "SpikingLSTM T=2": spiking(2),
    "StreamLSTM T=2": lambda inputs, hidden: StreamLSTM(inputs, hidden, time_steps=2),
}


def version_of(name: str) -> str:
    """Name the library that a model of LAYERS comes from, with its version."""
    package = "torch" if name.startswith("nn.") else "spikeseq"
    return f"{package} {metadata.version(package)}"


class Classifier(nn.Module):
    """``x [L, B, I]`` -> logits ``[B, CLASSES]`` from the layer's last output."""

    def __init__(self, layer: nn.Module, hidden: int) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(hidden, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.layer(x)
        return self.head(outputs[-1])


def make_step(build: Build, length: int, batch: int, inputs: int, hidden: int) -> Callable[[], None]:
    """One training step as a call without arguments: forward, backward, SGD; same data for every model."""
    torch.manual_seed(0)
    x, target = torch.randn(length, batch, inputs), torch.randint(CLASSES, (batch,))
    model = Classifier(build(inputs, hidden), hidden)
    # small: a cell with exploding gradients must keep finite weights through the whole run
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), target).backward()
        optimizer.step()

    return step
