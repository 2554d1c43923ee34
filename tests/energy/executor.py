"""A spiking LSTM as an event-driven machine would run it, one operation at a time, each of them counted as it is done.

Nothing is shared with the library: no tensor, no formula of a total. Numbers are Python floats; every arithmetic
operation and every access to memory goes through :class:`Machine`.
"""

from __future__ import annotations

import math
from collections import Counter


class Machine:
    """Does operations and counts them."""

    def __init__(self) -> None:
        self.did: Counter[str] = Counter()

    def mac(self, total, a, b, kind="macs"):
        self.did["macs"] += 1
        if kind != "macs":
            self.did[kind] += 1
        return total + a * b

    def add(self, a, b, kind="acs"):
        self.did[kind] += 1
        return a + b

    def at_least(self, a, b):
        self.did["comparisons"] += 1
        return a >= b

    def clip(self, a, low, high):
        """Two comparisons, whatever comes out."""
        small, large = self.at_least(low, a), self.at_least(a, high)
        return low if small else high if large else a

    def read(self, memory, place, kind="state_reads"):
        self.did[kind] += 1
        return memory[place]

    def write(self, memory, place, value):
        self.did["state_writes"] += 1
        memory[place] = value


class Layer:
    """One layer: weights by row of 4 H, ranges, state over t."""

    def __init__(
        self, machine, weight_ih, weight_hh, bias, threshold, clip, time_steps, code="direct", step=None, packet=None
    ):  # fmt: skip
        self.m, self.w, self.u, self.b = machine, weight_ih, weight_hh, bias
        self.threshold, self.clip, self.steps, self.code, self.step = threshold, clip, time_steps, code, step
        self.hidden, self.packet = len(clip), packet
        self.c = [[0.0] * self.hidden for _ in range(time_steps)]
        self.spikes = [[0] * self.hidden for _ in range(time_steps)]  # of the element before
        self.drive = [0.0] * (4 * self.hidden)  # W x without bias, running sum of a delta-coded input
        self.sent = [0] * len(weight_ih[0])  # k of the element before

    def event(self, accumulators, row, k):
        """One packet: its address, then a row of weights, added |k| times where it is read once."""
        self.m.did["state_reads"] += 1
        for j in range(4 * self.hidden):
            weight = self.m.read(row, j, "weight_reads")
            value = self.m.read(accumulators, j)
            for _ in range(abs(k)):
                value = self.m.add(value, weight if k > 0 else -weight)
            self.m.write(accumulators, j, value)

    def input_current(self, x):
        """``W x + b`` of the first layer, for one element."""
        columns = list(zip(*self.w, strict=True))
        if self.code == "delta":
            for j, value in enumerate(x):
                k = self.rounded(value / self.step[j])  # the sensor's step is its unit: no operation
                change = self.m.add(k, -self.sent[j], "neuron_updates")
                if change:
                    self.event(self.drive, [w * self.step[j] for w in columns[j]], int(change))
                self.sent[j] = self.m.add(self.sent[j], change, "neuron_updates")
            products = self.drive
        else:
            for _ in x:
                self.m.did["state_reads"] += 1
            products = []
            for row in self.w:
                total = 0.0
                for j, value in enumerate(x):
                    total = self.m.mac(total, self.m.read(row, j, "weight_reads"), value)
                products.append(total)
            self.m.did["state_writes"] += 4 * self.hidden
        # the sum starts at the bias: no operation of its own
        return [value + self.m.read(self.b, j, "weight_reads") for j, value in enumerate(products)]

    def rounded(self, u):
        self.m.did["comparisons"] += 1
        return int(math.copysign(math.floor(abs(u) + 0.5), u))

    def gated(self, k, value):
        """``k value / T``: a shifted value added or not for each bit of k in 0 .. T; the division is a shift."""
        total = 0.0
        for bit in range(self.steps.bit_length()):
            total = self.m.add(total, value * 2**bit if k >> bit & 1 else 0.0, "gated_adds")
        return total / self.steps

    def element(self, x=None, below=None):
        """All T nodes of one element: ``x`` values [I], or ``below`` spikes [T][I] -> spikes [T][H]."""
        m, hidden = self.m, self.hidden
        current = self.input_current(x) if below is None else None
        columns = list(zip(*self.w, strict=True))
        rows = list(zip(*self.u, strict=True))
        membrane, emitted, y = [0.0] * (4 * hidden), [0] * hidden, [0.0] * hidden
        out = []
        for t in range(1, self.steps + 1):
            for j in range(4 * hidden):  # the constant part of the current
                constant = m.read(current, j) if current is not None else m.read(self.b, j, "weight_reads")
                m.write(membrane, j, m.add(m.read(membrane, j), constant))
            for j, k in enumerate(self.spikes[t - 1]):
                if k:
                    self.event(membrane, rows[j], k)
            for j, k in enumerate(below[t - 1] if below is not None else ()):
                if k:
                    self.event(membrane, columns[j], k)
            speaks = t & (t - 1) == 0
            now = []
            for j in range(hidden):
                if speaks:
                    y[j] = self.gates(j, t, membrane)
                total = m.read(emitted, j)
                r = m.add(self.rounded(t * y[j]), -total, "neuron_updates")
                if self.packet is not None:
                    r = m.clip(r, -self.packet, self.packet)
                m.write(emitted, j, m.add(total, r, "neuron_updates"))
                if r:
                    m.did["state_writes"] += 1  # its address
                    m.did["spikes"] += abs(r)
                now.append(int(r))
            out.append(now)
        self.spikes = out
        return out

    def gates(self, j, t, membrane):
        """The cell of unit j at time step t: counts by comparison with constants, products by gated adds."""
        m, hidden = self.m, self.hidden
        counts = []
        for gate, block in enumerate((0, 1, 3)):
            v = m.read([row[j] for row in self.threshold], gate, "weight_reads")
            a = membrane[block * hidden + j]
            levels = [t * v * ((k - 0.5) / self.steps - 0.5) for k in range(1, self.steps + 1)]  # constants
            counts.append(sum(m.at_least(a, level) for level in levels))
        gam = m.read(self.clip, j, "weight_reads")
        g = m.clip(membrane[2 * hidden + j] / t, -gam, gam)  # t is a power of two: a shift
        i, f, o = counts
        kept, new = self.gated(f, m.read(self.c[t - 1], j)), self.gated(i, g)
        c = m.add(kept, new, "neuron_updates")
        m.write(self.c[t - 1], j, c)
        return self.gated(o, m.clip(c, -1.0, 1.0))
