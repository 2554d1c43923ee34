"""Permutations that are the same for ever: a seed names a split in published results."""

from __future__ import annotations

import numpy as np


def permutation(n: int, seed: int) -> np.ndarray:
    """Return a permutation of 0 .. n - 1, int64 [n], that depends on n and seed only.

    The raw PCG64 stream is sorted rather than ``Generator.permutation`` called: NumPy promises that bit streams stay as
    they are, not what is computed from them (NEP 19).
    """
    return np.argsort(np.random.PCG64(seed).random_raw(n), kind="stable")


def uniform(n: int, seed: int) -> np.ndarray:
    """Return numbers from [0, 1), float64 [n], that depend on n and seed only; see ``permutation``."""
    numbers: np.ndarray = (np.random.PCG64(seed).random_raw(n) >> np.uint64(11)) * 2.0**-53
    return numbers
