"""Permutations that are the same for ever: a seed names a split in published results."""

from __future__ import annotations

import numpy as np


def permutation(n: int, seed: int) -> np.ndarray:
    """Return a permutation of 0 .. n - 1, int64 [n], that depends on n and seed only.

    The raw PCG64 stream is sorted rather than ``Generator.permutation`` called: NumPy promises that bit streams stay as
    they are, not what is computed from them (NEP 19).
    """
    return np.argsort(np.random.PCG64(seed).random_raw(n), kind="stable")
