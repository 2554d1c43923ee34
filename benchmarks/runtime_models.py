"""The recurrent layers that the runtime is timed against, one step of each with its own state; peers.sh installs them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np
import torch

from runtime_timing import Contender

BASELINE = "torch.nn.LSTMCell"


class Made(NamedTuple):
    """A contender and what is said about it."""

    contender: Contender
    version: str  # "package version"
    note: str = ""


class Peer(NamedTuple):
    """A layer of another library: package on PyPI, and what makes its step (I, H, x [N, I] -> Made)."""

    package: str
    make: Callable[[int, int, np.ndarray], Made]


def _elements(x: np.ndarray) -> list[torch.Tensor]:
    """[1, I] each: made before the clock starts."""
    return [torch.from_numpy(element)[None] for element in x]


def _carried(package: str, step: Callable[[torch.Tensor, Any], Any], state: Any, x: np.ndarray) -> Made:
    """A torch layer: step(x, state) -> state."""

    def run(element: torch.Tensor) -> None:
        nonlocal state
        state = step(element, state)

    return Made(Contender(run, _elements(x)), _version(package))


def _version(package: str) -> str:
    return f"{package} {metadata.version(package)}"


def _cell(inputs: int, hidden: int, x: np.ndarray) -> Made:
    cell = torch.nn.LSTMCell(inputs, hidden)
    return _carried("torch", lambda element, state: cell(element, state), (torch.zeros(1, hidden),) * 2, x)


def _layer(inputs: int, hidden: int, x: np.ndarray) -> Made:
    """Without a batch axis: [1, I] is one element."""
    layer = torch.nn.LSTM(inputs, hidden)
    return _carried("torch", lambda element, state: layer(element, state)[1], (torch.zeros(1, hidden),) * 2, x)


def _onnx(precision: str) -> Callable[[int, int, np.ndarray], Made]:
    def make(inputs: int, hidden: int, x: np.ndarray) -> Made:
        choice = getattr(importlib.import_module("runtime_onnx_step"), precision)(inputs, hidden, x)
        note = f"{choice.how}; first step within {choice.error:.1g} of PyTorch's"
        return Made(choice.contender, _version("onnxruntime"), note)

    return make


def _snntorch(inputs: int, hidden: int, x: np.ndarray) -> Made:
    cell = importlib.import_module("snntorch").SLSTM(inputs, hidden)
    return _carried("snntorch", lambda element, state: cell(element, *state)[1:], cell.reset_mem(), x)


def _spikingjelly(inputs: int, hidden: int, x: np.ndarray) -> Made:
    cell = importlib.import_module("spikingjelly.activation_based.rnn").SpikingLSTMCell(inputs, hidden)
    return _carried("spikingjelly", lambda element, state: cell(element, state), (torch.zeros(1, hidden),) * 2, x)


def _norse(inputs: int, hidden: int, x: np.ndarray) -> Made:
    cell = importlib.import_module("norse.torch").LSNNRecurrentCell(inputs, hidden)
    return _carried("norse", lambda element, state: cell(element, state)[1], None, x)


PEERS = {
    BASELINE: Peer("torch", _cell),
    "torch.nn.LSTM, L = 1": Peer("torch", _layer),
    "ONNX Runtime LSTM fp32": Peer("onnxruntime", _onnx("fp32")),
    "ONNX Runtime LSTM int8": Peer("onnxruntime", _onnx("int8")),
    "snnTorch SLSTM": Peer("snntorch", _snntorch),
    "SpikingJelly SpikingLSTMCell": Peer("spikingjelly", _spikingjelly),
    "Norse LSNNRecurrentCell": Peer("norse", _norse),
}


def installed() -> tuple[dict[str, Peer], dict[str, str]]:
    """Make and step every peer once, tiny: those that work, and why the others do not."""
    found, absent = {}, {}
    for name, peer in PEERS.items():
        try:
            made = peer.make(4, 8, np.zeros((2, 4), np.float32))
            for element in made.contender.inputs:
                made.contender.step(element)
        except Exception as error:  # foreign code: whatever it raises, the others are measured
            if name == BASELINE:
                raise
            absent[name] = f"{type(error).__name__}: {error}"
        else:
            found[name] = peer
    return found, absent
