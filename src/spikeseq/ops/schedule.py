r"""Schedules: the cycle in which node (n, t, l) of a spiking network runs; element n, time step t, layer l, all from 1.

A cycle is the time of one node. Every order is linear in the node, with strides (a, b, c) along n, t and l::

    cycle(n, t, l) = 1 + a (n - 1) + b (t - 1) + c (l - 1)

    order      a           b       c        cycles of a sequence     delay of an element    cycles per element
    serial     T layers    layers  1        L T layers               T layers               T layers
    layer      T           1       L T      L T layers               (layers - 1) L T + T   needs the whole sequence
    element    T           1       T        (L + layers - 1) T       T layers               T
    chained    T           1       1        L T + layers - 1         T + layers - 1         T
    wavefront  1           1       1        L + T + layers - 2       T + layers - 1         1

The edges are ``(n-1, t, l), (n, t-1, l), (n, t, l-1) -> (n, t, l)``; strides are positive, so every edge leads to a later
cycle: each order is legal and gives the same bits (docs/equations.md, theorem 1). serial and layer run one node at a
time. "element" is what a network needs whose gates average over T before c moves: layers overlap, time steps do not.
"chained" is what LIF membranes need that are carried from (n-1, T) to (n, 1).
Source: DESIGN.md 2.2; pipelining after Datta et al. (2022), arXiv:2210.12613.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from spikeseq.errors import ConfigError, nearest
from spikeseq.shapes import check_size

Order = Literal["serial", "layer", "element", "chained", "wavefront"]
ORDERS = ("serial", "layer", "element", "chained", "wavefront")
Node = tuple[int, int, int]  # (n, t, l), each from 1


@dataclass(frozen=True)
class Schedule:
    """When each node of ``seq_len`` elements, ``time_steps`` T and ``layers`` runs; ``print`` shows it.

    Raises ConfigError for sizes that are no positive integers and for a misspelt order.
    """

    seq_len: int
    time_steps: int
    layers: int
    order: Order = "wavefront"

    def __post_init__(self) -> None:
        for name in ("seq_len", "time_steps", "layers"):
            check_size(name, getattr(self, name))
        if self.order not in ORDERS:
            raise ConfigError(f"order={self.order!r}: {nearest(str(self.order), ORDERS)}")

    @property
    def strides(self) -> tuple[int, int, int]:
        """Cycles from one element, time step and layer to the next."""
        steps, layers = self.time_steps, self.layers
        return {
            "serial": (steps * layers, layers, 1),
            "layer": (steps, 1, self.seq_len * steps),
            "element": (steps, 1, steps),
            "chained": (steps, 1, 1),
            "wavefront": (1, 1, 1),
        }[self.order]

    def cycle(self, n: int, t: int, l: int) -> int:
        """Cycle of a node, from 1."""
        a, b, c = self.strides
        return 1 + a * (n - 1) + b * (t - 1) + c * (l - 1)

    @property
    def cycles(self) -> int:
        """Cycles of the whole sequence."""
        return self.cycle(self.seq_len, self.time_steps, self.layers)

    @property
    def delay(self) -> int:
        """Cycles from the arrival of an element, just before its first node, until its last node is done."""
        return self.cycle(1, self.time_steps, self.layers)

    @property
    def interval(self) -> int:
        """Cycles from one element to the next: what a stream costs that never ends."""
        return self.strides[0]

    @property
    def units(self) -> int:
        """Most nodes that run in one cycle."""
        starts = [divmod(cycle, self.interval) for _, cycle in self._starts()]
        # nodes of one cycle: the same remainder, and elements that the sequence has
        return max(sum(r == rest and 0 <= q - turn < self.seq_len for q, r in starts) for turn, rest in starts)

    def front(self, cycle: int) -> list[Node]:
        """Nodes of one cycle."""
        found = []
        for (t, l), start in self._starts():
            before, rest = divmod(cycle - start, self.interval)
            if rest == 0 and 0 <= before < self.seq_len:
                found.append((before + 1, t, l))
        return found

    def fronts(self) -> Iterator[list[Node]]:
        """Nodes of each cycle in turn."""
        return (self.front(cycle) for cycle in range(1, self.cycles + 1))

    def rows(self, cycles: int | None = None) -> dict[str, list[int]]:
        """Label of (layer, t) -> the element that it works on in each cycle, 0: idle; all cycles, or the first ones."""
        shown = self.cycles if cycles is None else min(cycles, self.cycles)
        table = {(t, l): [0] * shown for (t, l), _ in self._starts()}
        for cycle in range(1, shown + 1):
            for n, t, l in self.front(cycle):
                table[t, l][cycle - 1] = n
        return {f"layer {l} t={t}": row for (t, l), row in table.items()}

    def text(self, width: int = 100) -> str:
        """Chart of elements, cycles to the right and (layer, t) downwards; cut to ``width`` characters."""
        head = max(len(label) for label in self.rows(1)) + 1
        cell = len(str(min(self.cycles, width))) + 1
        shown = min(self.cycles, max(1, (width - head - 3) // cell))
        more = " .." if shown < self.cycles else ""
        lines = {"cycle": list(range(1, shown + 1)), **self.rows(shown)}
        return "\n".join(f"{k:{head}}" + "".join(f"{n or '.':>{cell}}" for n in v) + more for k, v in lines.items())

    def __str__(self) -> str:
        return self.text()

    def _starts(self) -> Iterator[tuple[tuple[int, int], int]]:
        """Every (t, l), layer after layer, with the cycle of its first element."""
        return (((t, l), self.cycle(1, t, l)) for l in range(1, self.layers + 1) for t in range(1, self.time_steps + 1))
