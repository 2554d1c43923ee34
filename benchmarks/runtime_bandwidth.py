"""Bytes per second that one thread of this process reads: of memory, and of a buffer as large as a model.

A C file is compiled for this machine (runtime_bandwidth.c); without a compiler NumPy's dot product reads, which is slower.
"""

from __future__ import annotations

import ctypes
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

WAYS = (1, 4, 8)  # parts read side by side
LINE = 64
MEMORY = 0  # stands for a size that no cache holds
PIECE = 1 << 20  # bytes of one timed read of memory: short, so that another job's turn falls into few of them
AT_LEAST = 4 << 20  # bytes of one timed read of a model's size: a shorter one would measure the call


def cache_bytes() -> int:
    """Size of the largest cache; 32 MiB where the system does not tell."""
    units = {"K": 1 << 10, "M": 1 << 20}
    found = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    return max((int(text[:-1]) * units[text[-1]] for text in found if text[-1:] in units), default=32 << 20)


class Reader:
    """Reads parts of one buffer and keeps the rates, by number of bytes (or MEMORY) and way of reading.

    size   bytes of the buffer; far larger than every cache, so that reading all of it reads memory
    """

    def __init__(self, size: int) -> None:
        memory = np.ones(size + LINE, np.uint8)
        start = -memory.ctypes.data % LINE
        self.buffer = memory[start : start + size // LINE * LINE].view(np.float32)
        self.ways = _ways(self.buffer)
        self.kept: dict[tuple[int, str], list[float]] = {}
        self._turn = 0

    def forget(self) -> None:
        """Drop the rates, for another run."""
        self.kept.clear()

    def sweep(self) -> None:
        """Read all of it: no cache holds anything else afterwards. The ways take turns."""
        self._turn += 1
        way = tuple(self.ways)[self._turn % len(self.ways)]
        piece = min(PIECE, self.buffer.nbytes)
        for start in range(0, self.buffer.nbytes - piece + 1, piece):
            self._read(MEMORY, way, start, piece)

    def repeat(self, size: int) -> None:
        """Read as much as a model, in every way; once before, so that it lies in the caches as far as it fits."""
        for way, read in self.ways.items():
            read(0, size // 4, 1)
            self._read(size, way, 0, size, max(2, AT_LEAST // size))

    def rate(self, size: int = MEMORY) -> tuple[float, str]:
        """Bytes per second, median of the fastest way, and that way's name."""
        medians = {way: statistics.median(rates) for (of, way), rates in self.kept.items() if of == size}
        best = max(medians, key=medians.__getitem__)
        return medians[best], best

    def _read(self, key: int, way: str, start: int, size: int, times: int = 1) -> None:
        began = time.perf_counter()
        self.ways[way](start // 4, size // 4, times)
        self.kept.setdefault((key, way), []).append(times * size / (time.perf_counter() - began))


def _ways(buffer: np.ndarray) -> dict[str, Callable[[int, int, int], object]]:
    """Name -> call that reads so many floats, from a place on, so many times."""
    library = _compiled()
    if library is None:
        return {"numpy.dot": lambda place, count, times: [_dot(buffer[place : place + count]) for _ in range(times)]}
    at = buffer.ctypes.data
    return {
        f"C, {n} streams": lambda place, count, times, n=n: library.read_words(at + 4 * place, count, n, times)
        for n in WAYS
    }


def _dot(values: np.ndarray) -> float:
    return float(values @ values)


def _compiled() -> ctypes.CDLL | None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "read.so"
        source = Path(__file__).with_suffix(".c")
        options = ("-std=c11", "-O3", "-march=native", "-shared", "-fPIC")
        done = subprocess.run([compiler, *options, str(source), "-o", str(made)], capture_output=True, text=True)
        if done.returncode:
            return None
        library = ctypes.CDLL(str(made))
    library.read_words.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_size_t]
    return library
