"""One interleaved run: every contender at one size, with the bandwidths that bound the runtime measured between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from common import Column
from runtime_bandwidth import Reader
from runtime_models import BASELINE, Peer
from runtime_ours import WEIGHTS, Ours
from runtime_timing import Contender, Timing, compare, play

COLUMNS = (
    Column("hidden", "H"), Column("inputs", "I"), Column("contender"), Column("setting", "spikes"),
    Column("density", "per unit and time step, %", digits=1, scale=100), Column("median_us", "µs", digits=1),
    Column("best_us", "best, µs", digits=1), Column("cold_us", "cold, µs", digits=1), Column("speed", "speed"),
    Column("low", "speed, lower quartile"), Column("high", "upper quartile"), Column("best_speed", "speed, best"),
    Column("cold_speed", "speed, cold"),
    Column("spike_kb", "rows of spikes, kB", digits=0), Column("share", "of the memory bound, %", digits=0, scale=100),
    Column("share_cached", "of the cache bound, %", digits=0, scale=100),
)  # fmt: skip
RATES = (
    Column("hidden", "H"), Column("of", "read"), Column("mb", "MB"), Column("gb_s", "GB/s", digits=1), Column("way"),
)  # fmt: skip


class Measured(NamedTuple):
    """What one run found."""

    rows: list[dict[str, Any]]  # one for each contender
    bandwidth: list[dict[str, Any]]
    notes: dict[str, str]


def measure(
    x: np.ndarray, hidden: int, ours: Mapping[tuple[str, str], Ours], peers: Mapping[str, Peer], reader: Reader,
    rounds_block: tuple[int, int], done: Callable[[], None],
) -> Measured:  # fmt: skip
    """Run the peers on ``x [N, I]`` beside ``ours``: (format of the weights, setting) -> contender."""
    torch.manual_seed(0)
    size = {"inputs": x.shape[1], "hidden": hidden}
    made = {name: peer.make(*size.values(), x) for name, peer in peers.items()}
    contenders: dict[Any, Contender] = {name: one.contender for name, one in made.items()}
    contenders |= {key: one.contender for key, one in ours.items()}
    sizes = {name: 4 * hidden * (x.shape[1] + hidden) * of_one for name, of_one in WEIGHTS.items()}
    reader.forget()

    def after_round() -> None:
        for many in sizes.values():
            reader.repeat(many)
        done()

    timings = compare(play(contenders, *rounds_block, reader.sweep, after_round), BASELINE)
    rates = {"memory": reader.rate(), **{name: reader.rate(many) for name, many in sizes.items()}}
    rows = [
        {**size, "contender": name, "version": one.version, **timings[name]._asdict()} for name, one in made.items()
    ]
    for (weights, setting), one in ours.items():
        bounds = bounds_of(one.work(), timings[weights, setting], rates["memory"][0], rates[weights][0])
        rows.append(
            {
                **size,
                "contender": f"spikeseq {weights}",
                "setting": setting,
                **timings[weights, setting]._asdict(),
                **bounds,
            }
        )
    sizes = {"memory": reader.buffer.nbytes, **sizes}
    bandwidth = [
        {
            **size,
            "of": name if name == "memory" else f"{name} weights",
            "mb": sizes[name] / 1e6,
            "gb_s": rate / 1e9,
            "way": way,
        }
        for name, (rate, way) in rates.items()
    ]
    return Measured(rows, bandwidth, {f"{name}, H={hidden}": one.note for name, one in made.items() if one.note})


def bounds_of(work: Mapping[str, float], timing: Timing, memory: float, cached: float) -> dict[str, float]:
    """What an element reads, and which share of the bounds it reached; bandwidths in bytes per second."""
    seconds = timing.median_us * 1e-6
    both = work["spike_bytes"] + work["input_bytes"]
    return {
        "density": work["density"], "spike_kb": work["spike_bytes"] / 1e3, "input_kb": work["input_bytes"] / 1e3,
        "bound_us": work["spike_bytes"] / memory * 1e6, "share": work["spike_bytes"] / memory / seconds,
        "share_with_input": both / memory / seconds, "share_cached": both / cached / seconds,
    }  # fmt: skip
