"""Time of one element, batch 1, one thread: the event-driven runtime against torch, all in one interleaved run.

Spikes are set, not learned: before each element the stream gets a state with the asked share of +-1 spikes per time step, so
every timed element adds that many rows. Prints microseconds (median, and the fastest tenth), the rate of spikes that were
really added (from the counters), the bytes of the rows that were touched and the rate at which they were read.

    OMP_NUM_THREADS=1 python benchmarks/runtime.py [--elements 200]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

import spikeseq.nn as snn
from spikeseq import runtime

I, T = 40, 2
BLOCK = 20  # elements of one contender in a row: a stream runs in its own cache


def event_driven(hidden, weights, density, generator):
    """-> step(x) that runs one element with that share of spikes, the stream, bytes of a row."""
    torch.manual_seed(0)
    stream = runtime.compile(snn.SpikingLSTM(I, hidden, time_steps=T), weights).stream()
    states = []
    for _ in range(8):
        h = generator.random((1, 1, T, hidden)) < density
        states.append((h * generator.choice([-1, 1], h.shape)).astype(np.int8))
    view = stream._views[0]["h"]

    def prepare(n):
        view[...] = states[n % len(states)][0]

    return stream.step, prepare, stream


def peers(hidden):
    cell, layer = torch.nn.LSTMCell(I, hidden), torch.nn.LSTM(I, hidden)
    state = {"cell": (torch.zeros(1, hidden),) * 2, "lstm": (torch.zeros(1, 1, hidden),) * 2}

    def run_cell(x):
        state["cell"] = cell(torch.from_numpy(x)[None], state["cell"])

    def run_layer(x):
        _, state["lstm"] = layer(torch.from_numpy(x)[None, None], state["lstm"])

    return {"torch LSTMCell": (run_cell, None, None), "torch LSTM, L = 1": (run_layer, None, None)}


def measure(hidden, elements, densities):
    generator = np.random.default_rng(0)
    made = peers(hidden)
    for weights in ("float32", "int8"):
        for density in densities:
            made[f"spikeseq {weights}, {density:.0%}"] = event_driven(hidden, weights, density, generator)
    x = generator.normal(size=(elements + BLOCK, I)).astype(np.float32)
    took = {name: [] for name in made}
    heard = dict.fromkeys(made, 0)
    with torch.no_grad():
        for first in range(0, len(x), BLOCK):  # in turns of a block, whose first element finds the caches of another
            for name, (step, prepare, stream) in made.items():
                for n in range(first, min(first + BLOCK, len(x))):
                    if prepare:
                        prepare(n)
                        heard[name] += int(np.count_nonzero(stream._views[0]["h"]))
                    start = time.perf_counter()
                    step(x[n])
                    took[name].append(time.perf_counter() - start)
    base = np.median(took["torch LSTMCell"][BLOCK:])
    for name, times in took.items():
        times = np.array(times[BLOCK:]) * 1e6
        middle, fast = np.median(times), np.quantile(times, 0.1)
        line = f"{hidden:5d}  {name:22s} {middle:9.1f} us  {fast:9.1f} us  {base * 1e6 / middle:6.1f}x"
        stream = made[name][2]
        if stream:
            spikes = heard[name] / len(x)
            counted = stream.counters()["l0"]
            rows = (counted["acs"] / len(x) - 4 * hidden * T) / (4 * hidden)
            assert abs(rows - spikes) < 1e-6, "the counters and the states disagree"
            size = rows * 4 * hidden * (1 if "int8" in name else 4)
            line += f"  spikes {spikes / T / hidden:6.1%}  rows {size / 1e3:8.1f} kB  {size / middle / 1e3:6.2f} GB/s"
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, default=200)
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 512, 1024])
    parser.add_argument("--density", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.3])
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"I = {I}, T = {T}, batch 1, one thread; median and fastest tenth of {options.elements}, speed against LSTMCell"
    )
    for hidden in options.hidden:
        measure(hidden, options.elements, options.density)


if __name__ == "__main__":
    main()
