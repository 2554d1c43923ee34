"""The libraries that are compared with, each in its users' own words; none is a dependency (see peers.sh)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from models import Build, make_step


@dataclass(frozen=True)
class Peer:
    """A layer of another library."""

    package: str  # on PyPI
    module: str  # to import
    make: Callable[[ModuleType, int, int], nn.Module]  # imported module, I, H -> layer that returns (outputs, state)

    def load(self) -> tuple[str, Build]:
        """Return the installed version and the builder; raises what the peer's import raises."""
        module = importlib.import_module(self.module)
        return metadata.version(self.package), lambda inputs, hidden: self.make(module, inputs, hidden)


class Stepped(nn.Module):
    """snnTorch: one cell, the user writes the loop; the output is the spikes."""

    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> tuple[list[Tensor], None]:
        syn, mem = self.cell.reset_mem()
        outputs = []
        for element in x:
            spikes, syn, mem = self.cell(element, syn, mem)
            outputs.append(spikes)
        return outputs, None


def _snntorch(snn: ModuleType, inputs: int, hidden: int) -> nn.Module:
    return Stepped(snn.SLSTM(inputs, hidden))


def _spikingjelly(rnn: ModuleType, inputs: int, hidden: int) -> nn.Module:
    return rnn.SpikingLSTM(inputs, hidden, num_layers=1)


def _norse(norse: ModuleType, inputs: int, hidden: int) -> nn.Module:
    return norse.LSNNRecurrent(inputs, hidden)


PEERS = {
    "snnTorch SLSTM": Peer("snntorch", "snntorch", _snntorch),
    "SpikingJelly SpikingLSTM": Peer("spikingjelly", "spikingjelly.activation_based.rnn", _spikingjelly),
    "Norse LSNNRecurrent": Peer("norse", "norse.torch", _norse),
}
NOTES = (
    "snnTorch SLSTM at I != H replaces its state by zeros at every element: the backward pass ends after one element, "
    "which is cheap and no memory. Its fair row is I = H.",
    "A recurrent LIF network (Norse) has one recurrent matrix, a quarter of an LSTM's.",
)


@dataclass(frozen=True)
class Installed:
    """What of PEERS can run here."""

    builds: dict[str, Build]
    versions: dict[str, str]  # name -> "package version"
    absent: dict[str, str]  # name -> why


def installed(
    peers: Mapping[str, Peer] | None = None, step: Callable[..., Callable[[], None]] = make_step
) -> Installed:
    """Import every peer (of PEERS) and try one small step; one that fails is absent, with the reason."""
    found = Installed({}, {}, {})
    for name, peer in (PEERS if peers is None else peers).items():
        try:
            version, build = peer.load()
            step(build, length=2, batch=2, inputs=8, hidden=8)()
        except Exception as error:  # foreign code: whatever it raises, the other models are measured
            found.absent[name] = f"{type(error).__name__}: {error}"
            continue
        found.builds[name], found.versions[name] = build, f"{peer.package} {version}"
    return found
