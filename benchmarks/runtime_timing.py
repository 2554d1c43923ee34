"""Time of one element in interleaved blocks, and what it is against a baseline.

In each round every contender runs one block of elements, the first one another in each round. Before a block memory is
swept, so its first element finds no weight in any cache: a stream that shares its core with other work. The next ones fill
the caches; the rest is a stream that has the core to itself.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

WARMING = 10  # elements behind the first that fill the caches; an event-driven one reads only some of the weights each


@dataclass
class Contender:
    """One recurrent layer that runs element by element and carries its own state.

    step     takes an element in the contender's own type; timed
    inputs   elements, used in turn
    before   called with the number of the element; not timed
    """

    step: Callable[[Any], object]
    inputs: Sequence[Any]
    before: Callable[[int], None] = lambda n: None
    done: int = 0  # elements run


class Block(NamedTuple):
    """Seconds per element."""

    cold: float
    warm: tuple[float, ...]


class Timing(NamedTuple):
    """Microseconds per element, and how many times as fast as the baseline (medians over the rounds)."""

    median_us: float
    best_us: float
    cold_us: float
    speed: float
    low: float  # quartiles of the same
    high: float
    best_speed: float  # best over best
    cold_speed: float


def play(
    contenders: Mapping[str, Contender],
    rounds: int,
    block: int,
    between: Callable[[], None],
    done: Callable[[], None] = lambda: None,
) -> dict[str, list[Block]]:
    """Run all; ``between`` is called before each block, ``done`` after each round. One round to warm up is left out."""
    names, kept = list(contenders), {name: [] for name in contenders}
    gc.disable()
    try:
        for index in range(-1, rounds):
            gc.collect()
            turn = index % len(names)
            for name in (*names[turn:], *names[:turn]):
                between()
                times = run_block(contenders[name], block)
                if index >= 0:
                    kept[name].append(times)
            done()
    finally:
        gc.enable()
    return kept


def run_block(contender: Contender, block: int) -> Block:
    times = []
    for n in range(contender.done, contender.done + block):
        x = contender.inputs[n % len(contender.inputs)]
        contender.before(n)
        start = time.perf_counter()
        contender.step(x)
        times.append(time.perf_counter() - start)
    contender.done += block
    return Block(times[0], tuple(times[min(WARMING, block - 2) + 1 :]))


def compare(kept: Mapping[str, Sequence[Block]], baseline: str) -> dict[str, Timing]:
    """Times of every contender; its speed is the baseline's median of a round over its own of the same round."""
    return {name: _timing(blocks, kept[baseline]) for name, blocks in kept.items()}


def _timing(own: Sequence[Block], base: Sequence[Block]) -> Timing:
    pairs = list(zip(own, base, strict=True))
    speeds = [statistics.median(b.warm) / statistics.median(a.warm) for a, b in pairs]
    low, middle, high = statistics.quantiles(speeds, n=4, method="inclusive") if len(pairs) > 1 else speeds * 3
    warm = [seconds for block in own for seconds in block.warm]
    cold = statistics.median(block.cold for block in own)
    best_speed = min(seconds for block in base for seconds in block.warm) / min(warm)
    cold_speed = statistics.median(b.cold / a.cold for a, b in pairs)
    times = (statistics.median(warm), min(warm), cold)
    return Timing(*(seconds * 1e6 for seconds in times), middle, low, high, best_speed, cold_speed)
