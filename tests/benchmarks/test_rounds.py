"""Ratios from interleaved rounds, on invented times."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from rounds import Times, interleave, ratios

sys.path.pop(0)


def test_ratio_is_the_median_of_the_rounds_own_ratios():
    # the machine is 10x slower in the second round; one call is disturbed in the third
    rounds = [
        {"base": Times(1.0, 1.0), "other": Times(2.0, 2.0)},
        {"base": Times(10.0, 5.0), "other": Times(20.0, 10.0)},
        {"base": Times(1.0, 1.0), "other": Times(9.0, 2.0)},
    ]
    found = ratios(rounds, "base")
    assert found["base"] == (1, 1, 1, 1, 1)
    assert found["other"].median == 2
    assert found["other"].cpu == 2
    assert found["other"].best == 2
    assert found["other"].high == pytest.approx(5.5)


def test_every_round_calls_everything_once_and_starts_elsewhere():
    calls = []
    order = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    done = []
    rounds = interleave(order, rounds=3, warm_up=1, done=lambda: done.append(len(calls)))
    assert done == [3, 6, 9, 12]
    assert ["".join(calls[start : start + 3]) for start in (3, 6, 9)] == ["abc", "bca", "cab"]
    assert len(rounds) == 3
    assert all(set(times) == set("abc") for times in rounds)


def test_one_round_has_ratios():
    assert ratios([{"base": Times(1.0, 1.0), "other": Times(3.0, 3.0)}], "base")["other"].median == 3
