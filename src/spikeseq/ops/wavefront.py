"""A stack of spiking layers run node by node (n, t, l) in any order of ops/schedule.py: the same bits in each."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from spikeseq.ops.cells.grid import coasts
from spikeseq.ops.cells.lstm import LSTMState
from spikeseq.ops.schedule import Node, Order, Schedule


class NodeStep(Protocol):
    """A cell that can run one node at a time."""

    time_steps: int

    def node(self, t: Any, current: Tensor, carry: Any, c: Tensor, params: Any) -> tuple[Tensor, Tensor, Any]:
        """Run one node, or several of different t stacked."""

    def start(self, current: Tensor, c: Tensor) -> Any:
        """Return the carry before the first time step."""


class LayerWeights(NamedTuple):
    """Weights of one layer."""

    input_weight: Tensor  # [4H, I]
    bias: Tensor | None  # [4H]
    recurrent_weight: Tensor  # [4H, H]
    params: Any


class Result(NamedTuple):
    """What a run over the nodes gives."""

    spikes: list[Tensor]  # per layer [L, T, B, H]
    states: list[LSTMState]  # per layer, [T, B, H] each
    cycles: int


def run(step: NodeStep, layers: list[LayerWeights], x: Tensor, states: list[LSTMState], order: Order) -> Result:
    """Run a stack over ``x [L, B, I]`` (direct encoding) node by node in the given order. No gradient is kept."""
    with torch.no_grad():
        network = _Network(step, layers, x, states)
        schedule = Schedule(x.shape[0], step.time_steps, len(layers), order)
        for nodes in schedule.fronts():
            network.fire(nodes)
        ends = [LSTMState(s[-1], c) for s, c in zip(network.spikes, network.cells, strict=True)]
        return Result([s[1:] for s in network.spikes], ends, schedule.cycles)


class _Network:
    """Memory of a run: spikes of every node, cell streams at their latest element, carries at their latest step."""

    def __init__(self, step: NodeStep, layers: list[LayerWeights], x: Tensor, states: list[LSTMState]) -> None:
        self.step, self.layers, self.x = step, layers, x
        self.spikes = [torch.full((x.shape[0] + 1, *s.h.shape), float("nan")).to(x) for s in states]
        for path, state in zip(self.spikes, states, strict=True):
            path[0] = state.h
        self.cells = [s.c.clone() for s in states]
        self.carries: list[dict[int, Any]] = [{} for _ in layers]  # [layer][n]
        self.direct: dict[int, Tensor] = {}  # W x + b of layer 1, once per element

    def fire(self, nodes: list[Node]) -> None:
        """Run the nodes of one cycle; all of them read before any of them writes."""
        results = []
        for l in sorted({node[2] for node in nodes}):
            mine = [(n, t) for n, t, layer in nodes if layer == l]
            for group in ([p for p in mine if not coasts(p[1])], *([p] for p in mine if coasts(p[1]))):
                if group:
                    results += self._nodes(group, l - 1)
        for l, n, t, spikes, c, carry in results:
            self.spikes[l][n, t - 1], self.cells[l][t - 1], self.carries[l][n] = spikes, c, carry
            if t == self.step.time_steps:
                del self.carries[l][n]

    def _nodes(self, group: list[tuple[int, int]], l: int) -> list[tuple[int, int, int, Tensor, Tensor, Any]]:
        """Nodes of one layer, batched; the matrix products stay one by one, so that their bits do not depend on order."""
        currents = [self._current(n, t, l) for n, t in group]
        cells = [self.cells[l][t - 1] for _, t in group]
        carries = [self.carries[l][n] if t > 1 else self.step.start(currents[0], cells[0]) for n, t in group]
        times = [t for _, t in group]
        t_axis: Any = (
            times[0]
            if len(times) == 1
            else torch.tensor(times, dtype=self.x.dtype, device=self.x.device).view(-1, 1, 1)
        )
        stacked = type(carries[0])(*(torch.stack(parts) for parts in zip(*carries, strict=True)))
        h, c, carry = self.step.node(t_axis, torch.stack(currents), stacked, torch.stack(cells), self.layers[l].params)
        parts = [type(carry)(*values) for values in zip(*carry, strict=True)]
        return [(l, n, t, h[k], c[k], parts[k]) for k, (n, t) in enumerate(group)]

    def _current(self, n: int, t: int, l: int) -> Tensor:
        """``I_t[n] = W x_t[n] + b + U h_t[n-1]``, ``[B, 4H]``."""
        w = self.layers[l]
        if l == 0:
            if t == 1:
                self.direct[n] = F.linear(self.x[n - 1], w.input_weight, w.bias)
            drive = self.direct[n] if t < self.step.time_steps else self.direct.pop(n)
        else:
            drive = F.linear(self.spikes[l - 1][n, t - 1], w.input_weight, w.bias)
        return drive + F.linear(self.spikes[l][n - 1, t - 1], w.recurrent_weight)
