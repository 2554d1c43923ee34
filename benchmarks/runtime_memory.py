"""Memory of the event-driven runtime: bytes of a program and of a stream, and whether they stay through millions of elements.

Counted as the runtime counts it (Program.nbytes, Stream.nbytes) and as the system does (resident memory of this process,
over many streams). Then one stream runs on, by Stream.step and by Stream.run in chunks, and the resident memory is read
every hundredth of the way: it must not grow.

    python benchmarks/runtime_memory.py --elements 10000000
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import Column, finish, options_parser, positive, show, start
from runtime_ours import WEIGHTS, T
from spikeseq import runtime
from spikeseq.nn import SpikingLSTM
from spikeseq.report.bench import table_of

STREAMS = 200  # to see one in the resident memory, which is counted in pages
CHUNK = 1000
READINGS = 100
FLAT_BELOW = 0.01  # bytes per element
COLUMNS = (
    Column("hidden", "H"), Column("weights"), Column("program", "program, bytes", digits=0),
    Column("program_resident", "resident, bytes", digits=0), Column("stream", "stream, bytes", digits=0),
    Column("stream_resident", "resident with its Python objects, bytes", digits=0),
)  # fmt: skip
FLAT = (
    Column("weights"), Column("call"), Column("elements", digits=0), Column("seconds", "s", digits=0),
    Column("start_mib", "resident at the start, MiB", digits=3), Column("grown_kib", "grown by, KiB", digits=0),
    Column("late_kib", "in the second half, KiB", digits=0),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_parser("runtime_memory", __doc__, rounds=1)
    parser.add_argument("--sizes", type=positive, nargs="+", default=[64, 128, 512, 1024], help="H of the first table")
    parser.add_argument("--elements", type=positive, default=10_000_000, help="that one stream runs, by each call")
    parser.add_argument("--hidden", type=positive, default=16, help="H of that stream")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        print(json.dumps(of_file(options.child, options.inputs)))
        return 0
    if options.quick:
        options.sizes, options.elements, options.inputs = [16], 4 * CHUNK, 6
    began = start(options)
    kinds = list(WEIGHTS)[: 1 if options.quick else None]
    rows = [sizes(weights, hidden, options) for hidden in options.sizes for weights in kinds]
    show(rows, COLUMNS, f"bytes, T={T}, I={options.inputs}")
    flat = [run_on(weights, call, options) for weights in WEIGHTS for call in CALLS]
    show(flat, FLAT, f"one stream, T={T}, I={options.inputs}, H={options.hidden}")
    metrics: dict[str, Any] = {"rows": rows, "flat": flat, "targets": [flat_target(flat)]}
    title = f"one stream runs on, T={T}, I={options.inputs}, H={options.hidden}"
    metrics["tables"] = [
        table_of("rows", COLUMNS, f"bytes of a program and of a stream, T={T}, I={options.inputs}"),
        table_of(
            "flat", FLAT, title, "Resident memory is read every hundredth of the way; all readings are in the record."
        ),
    ]
    finish("runtime_memory", options, began, metrics)
    return 0


def sizes(weights: str, hidden: int, options: Namespace) -> dict[str, Any]:
    """One row, measured in a process of its own: memory that others have freed would be used again uncounted."""
    with tempfile.TemporaryDirectory() as folder:
        path = runtime.compile(SpikingLSTM(options.inputs, hidden, time_steps=T), weights).save(
            Path(folder) / "model.spk"
        )
        command = [sys.executable, str(Path(__file__).resolve()), "--child", str(path), f"--inputs={options.inputs}"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"H={hidden}, {weights} failed:\n{done.stderr}")
    return {"hidden": hidden, "weights": weights, **json.loads(done.stdout)}


def of_file(path: str, inputs: int) -> dict[str, float]:
    """Load a program and make streams: what the runtime says of them, and what stays resident for them."""
    x = np.zeros(inputs, np.float32)
    runtime.compile(SpikingLSTM(inputs, 8, time_steps=T)).stream().step(x)  # the library and all code are loaded
    program, added = growth(lambda: runtime.Program.load(path))
    streams, all_streams = growth(
        lambda: [program.stream() for _ in range(STREAMS)], lambda made: [s.step(x) for s in made]
    )
    return {
        "program": program.nbytes, "program_resident": added,
        "stream": streams[0].nbytes, "stream_resident": all_streams / STREAMS,
    }  # fmt: skip


def growth(make: Callable[[], Any], use: Callable[[Any], object] = lambda made: None) -> tuple[Any, int]:
    """What was made, and the bytes that stay resident for it once it was used."""
    trim()
    before = resident()
    made = make()
    use(made)
    trim()
    return made, max(0, resident() - before)


def trim() -> None:
    """Free what nobody needs, and hand it back to the system where it lets us."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def by_step(stream: runtime.Stream, x: np.ndarray) -> None:
    for element in x:
        stream.step(element)


def by_run(stream: runtime.Stream, x: np.ndarray) -> None:
    stream.run(x)


CALLS = {"step": by_step, "run": by_run}


def run_on(weights: str, call: str, options: Namespace) -> dict[str, Any]:
    """One stream over so many elements; growth from the first reading to the largest, and in the second half."""
    torch.manual_seed(0)
    stream = runtime.compile(SpikingLSTM(options.inputs, options.hidden, time_steps=T), weights).stream()
    x = np.random.default_rng(0).normal(size=(CHUNK, options.inputs)).astype(np.float32)
    chunks = max(1, options.elements // CHUNK)
    CALLS[call](stream, x)  # first use of everything
    gc.collect()
    readings, began = [resident()], time.perf_counter()
    for chunk in range(chunks):  # without a progress bar: its thread allocates, too
        CALLS[call](stream, x)
        if (chunk + 1) % max(1, chunks // READINGS) == 0:
            readings.append(resident())
    elements = stream.counters()["l0"]["elements"]
    assert elements == (chunks + 1) * CHUNK, "the stream lost elements"
    late = readings[len(readings) // 2 :]
    return {
        "weights": weights, "call": call, "elements": elements, "seconds": time.perf_counter() - began,
        "start_mib": readings[0] / 2**20, "grown_kib": (max(readings) - readings[0]) / 1024,
        "late_kib": (max(late) - late[0]) / 1024, "readings_kib": [(r - readings[0]) / 1024 for r in readings],
    }  # fmt: skip


def flat_target(flat: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Bytes for each element of the second half; the smallest object lost once in a thousand elements would be 0.016."""
    worst = max(row["late_kib"] * 1024 / (row["elements"] / 2) for row in flat)
    return {
        "what": "resident bytes grown per element, second half",
        "limit": FLAT_BELOW,
        "value": worst,
        "met": worst < FLAT_BELOW,
    }


def resident() -> int:
    """Resident bytes of this process; its peak where the system tells no more."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    raise SystemExit(main())
