"""Interleaved timing: every model once per round, and ratios to the baseline of the same round.

The machine's speed drifts and other jobs disturb it; a ratio inside one round does not see the drift, and the median
over rounds does not see the odd disturbed one.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Times(NamedTuple):
    """Seconds of one call."""

    wall: float
    cpu: float  # of the whole process: leaves out the time in which another job had the core


class Ratio(NamedTuple):
    """Cost relative to the baseline."""

    median: float  # of the per-round ratios, wall clock
    low: float  # quartiles of the same
    high: float
    cpu: float  # median of the per-round ratios of processor time
    best: float  # best round over the baseline's best round, wall clock


def interleave(
    calls: Mapping[Key, Callable[[], object]], rounds: int, warm_up: int = 2, done: Callable[[], None] = lambda: None
) -> list[dict[Key, Times]]:
    """Time every call once per round, the first one another in each round; `done` is called after each round.

    The warm-up rounds, in which compiling happens, are not in the result.
    """
    keys, kept = list(calls), []
    for index in range(-warm_up, rounds):
        gc.collect()
        turn = index % len(keys)  # rotate: what ran before decides what is in the cache
        times = {key: _timed(calls[key]) for key in (*keys[turn:], *keys[:turn])}
        if index >= 0:
            kept.append(times)
        done()
    return kept


def ratios(rounds: Sequence[Mapping[Key, Times]], baseline: Key) -> dict[Key, Ratio]:
    """Compare every call with the baseline; the baseline's own ratios are 1."""
    first = min(times[baseline].wall for times in rounds)
    return {key: _ratio(rounds, key, baseline, first) for key in rounds[0]}


def _ratio(rounds: Sequence[Mapping[Key, Times]], key: Key, baseline: Key, first: float) -> Ratio:
    wall = sorted(times[key].wall / times[baseline].wall for times in rounds)
    cpu = [times[key].cpu / times[baseline].cpu for times in rounds]
    low, _, high = statistics.quantiles(wall, n=4, method="inclusive") if len(wall) > 1 else wall * 3
    best = min(times[key].wall for times in rounds) / first
    return Ratio(statistics.median(wall), low, high, statistics.median(cpu), best)


def _timed(call: Callable[[], object]) -> Times:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Times(time.perf_counter() - wall, time.process_time() - cpu)
