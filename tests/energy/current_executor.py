"""Synaptic currents and adLIF neurons as an event-driven machine would run them, each operation counted as it is done.

As executor.py: plain Python numbers, nothing shared with the library. Scales are folded into the weights beforehand.
"""

from __future__ import annotations

import math


class Layer:
    """One layer: weights by row, bias, state; a subclass has the unit."""

    gates = 1
    products = False  # whether what arrives is multiplied (multi-bit) or added (unit spikes)

    def __init__(self, machine, weight_ih, weight_hh, bias, code="direct"):
        self.m, self.w, self.u, self.b, self.code = machine, weight_ih, weight_hh, bias, code
        self.hidden = len(bias) // self.gates
        self.sent = [0] * self.hidden  # at the element before
        self.running = [0.0] * len(bias)  # of a delta-coded input
        self.last_input = [0] * len(weight_ih[0])

    def event(self, accumulators, row, k):
        """One message: its address, then a row of weights, added |k| times or multiplied."""
        self.m.did["state_reads"] += 1
        for j, _ in enumerate(row):
            weight = self.m.read(row, j, "weight_reads")
            value = self.m.read(accumulators, j)
            if self.products:
                value = self.m.mac(value, weight, k, "low_macs")
            else:
                for _ in range(abs(int(k))):
                    value = self.m.add(value, weight if k > 0 else -weight)
            self.m.write(accumulators, j, value)

    def element(self, x=None, below=None):
        """One element: values ``x`` [I], or messages from below [I] -> messages [H]."""
        m, rows = self.m, len(self.b)
        accumulators = [0.0] * rows
        bias = [m.read(self.b, j, "weight_reads") for j in range(rows)]
        if below is None and self.code == "delta":
            for j, k in enumerate(x):  # whole numbers: the sensor's step is its unit
                m.did["comparisons"] += 1
                change = m.add(k, -self.last_input[j], "neuron_updates")
                if change:
                    self.event(self.running, [row[j] for row in self.w], change)
                self.last_input[j] = m.add(self.last_input[j], change, "neuron_updates")
            for j in range(rows):
                m.write(accumulators, j, m.add(m.read(self.running, j), bias[j]))
        elif below is None:
            m.did["state_reads"] += len(x)
            for j, row in enumerate(self.w):
                total = bias[j]
                for i, value in enumerate(x):
                    total = m.mac(total, m.read(row, i, "weight_reads"), value)
                m.write(accumulators, j, total)
        else:
            for j in range(rows):
                m.write(accumulators, j, bias[j])
            for i, k in enumerate(below):
                if k:
                    self.event(accumulators, [row[i] for row in self.w], k)
        for i, k in enumerate(self.sent if self.u else ()):
            if k:
                self.event(accumulators, [row[i] for row in self.u], k)
        self.sent = [self.unit(j, [m.read(accumulators, g * self.hidden + j) for g in range(self.gates)])
                     for j in range(self.hidden)]  # fmt: skip
        for k in self.sent:
            if k:
                m.did["state_writes"] += 1  # its address
                m.did["spikes"] += 1 if self.products else abs(int(k))
        return self.sent


class Coded(Layer):
    """A current with a sigma-delta output: units of one level, ``low`` to ``high`` levels, ``dead`` ones sent as 0."""

    def __init__(
        self, machine, weight_ih, weight_hh, bias, code="direct", *, low, high, dead=0, level=1.0, nearest=True
    ):
        super().__init__(machine, weight_ih, weight_hh, bias, code)
        self.low, self.high, self.dead, self.level, self.nearest = low, high, dead, level, nearest
        self.current, self.residual = [0.0] * self.hidden, [0.0] * self.hidden

    def send(self, j, current):
        m = self.m
        m.write(self.current, j, current)
        acc = m.add(m.read(self.residual, j), current, "neuron_updates")
        u = m.clip(acc / self.level, self.low, self.high)  # the level is folded into the weights: no operation
        m.did["comparisons"] += 1
        k = math.copysign(math.floor(abs(u) + (0.5 if self.nearest else 0.0)), u)
        if self.dead:
            m.did["comparisons"] += 1
            k = 0.0 if abs(k) <= self.dead else k
        m.write(self.residual, j, m.add(acc, -k * self.level, "neuron_updates"))
        return int(k)


class Published(Coded):
    """Gated current with multi-bit outputs."""

    gates, products = 2, True

    def unit(self, j, a):
        m = self.m
        z, c = 1 / (1 + math.exp(-a[0])), (a[1] if m.at_least(a[1], 0.0) else 0.0)
        new = m.mac(0.0, 1 - z, c, "elementwise")
        return self.send(j, m.mac(new, z, m.read(self.current, j), "elementwise"))


class Levels(Coded):
    """Gated current with T levels: ``threshold`` and ``gam`` of each unit."""

    gates = 2

    def __init__(self, *args, threshold, gam, time_steps, **options):
        super().__init__(*args, level=1 / time_steps, **options)
        self.threshold, self.gam, self.steps = threshold, gam, time_steps

    def gated(self, k, value):
        total = 0.0
        for bit in range(self.steps.bit_length()):
            total = self.m.add(total, value * 2**bit if k >> bit & 1 else 0.0, "gated_adds")
        return total / self.steps

    def unit(self, j, a):
        m = self.m
        v, gam = m.read(self.threshold, j, "weight_reads"), m.read(self.gam, j, "weight_reads")
        switches = [v * ((k - 0.5) / self.steps - 0.5) for k in range(1, self.steps + 1)]  # constants
        k = sum(m.at_least(a[0], switch) for switch in switches)
        c = m.clip(a[1], -gam if self.low < 0 else 0.0, gam)
        kept, new = self.gated(k, m.read(self.current, j)), self.gated(self.steps - k, c)
        return self.send(j, m.add(kept, new, "neuron_updates"))


class Leaky(Coded):
    """Leaky current."""

    products = True

    def __init__(self, *args, leak, **options):
        super().__init__(*args, **options)
        self.leak = leak

    def unit(self, j, a):
        m = self.m
        leak = m.read(self.leak, j, "weight_reads")
        return self.send(j, m.mac(a[0], leak, m.read(self.current, j), "elementwise"))


class AdLIF(Layer):
    """adLIF neurons, forward form; 1 - alpha is folded into weights, p and q."""

    def __init__(self, *args, alpha, beta, p, q):
        super().__init__(*args)
        self.alpha, self.beta, self.p, self.q = alpha, beta, p, q
        self.u_mem, self.w_mem = [0.0] * self.hidden, [0.0] * self.hidden

    def unit(self, j, a):
        m = self.m
        alpha, beta, p, q = (m.read(values, j, "weight_reads") for values in (self.alpha, self.beta, self.p, self.q))
        u, s = m.read(self.u_mem, j), self.sent[j]
        w = m.mac(0.0, beta, m.read(self.w_mem, j), "elementwise")
        w = m.add(m.mac(w, p, u, "elementwise"), q if s else 0.0, "neuron_updates")
        u = m.mac(a[0], alpha, m.add(u, -float(s), "neuron_updates"), "elementwise")
        u = m.add(u, -w, "neuron_updates")
        m.write(self.u_mem, j, u)
        m.write(self.w_mem, j, w)
        return int(m.at_least(u, 1.0))
