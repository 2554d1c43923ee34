"""Peak memory of a training step on a long sequence, relative to torch.nn.LSTM: each model in a fresh process.

Counted is what forward and backward add to the resident memory of a process that has its model, data, gradients and
compiled code already: a shorter sequence with the same batch and sizes has run before.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from common import Column, Target, check_targets, finish, options_parser, positive, progress, show, start
from models import BASELINE, LAYERS, make_step
from spikeseq.ops.fuse import COMPILE_FROM, compiling

TARGETS = (Target("QuantizedLSTM T=2", 1.5), Target("SpikingLSTM T=2", 3.0))
COLUMNS = (
    Column("model"), Column("mib", "peak, MiB", digits=0), Column("ratio", "ratio to nn.LSTM"),
    Column("per_number", "numbers kept / (L B H)", digits=1), Column("limit", "target", digits=1),
)  # fmt: skip
WARM_LENGTH = 4


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_parser("memory", __doc__, rounds=2)
    parser.add_argument("--length", type=positive, default=800, help="L, elements of the sequence")
    parser.add_argument("--hidden", type=positive, default=128, help="H")
    parser.add_argument("--child", choices=LAYERS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.length, options.batch, options.inputs, options.hidden = 1, 100, 16, 6, 16
    began = start(options)
    if options.child:
        print(peak_bytes(options.child, options))
        return 0
    names = ("SpikingLSTM T=2",) if options.quick else tuple(LAYERS)
    found: dict[str, list[int]] = {name: [] for name in dict.fromkeys((BASELINE, *names))}
    bar, advance = progress(options.rounds * len(found), "one process each")
    with bar:
        for _ in range(options.rounds):
            for name, values in found.items():
                values.append(in_child(name, options))
                advance()
    rows = table(found, options)
    title = f"peak memory of a training step: B={options.batch}, L={options.length}, I={options.inputs}"
    show(rows, COLUMNS, f"{title}, H={options.hidden}")
    ratios = {row["model"]: row["ratio"] for row in rows}
    metrics: dict[str, Any] = {"rows": rows, "targets": [] if options.quick else check_targets(ratios, TARGETS)}
    metrics.update({f"peak memory / {BASELINE}: {name}, L={options.length}": ratio for name, ratio in ratios.items()})
    finish("memory", options, began, metrics)
    return 0


def table(found: dict[str, list[int]], options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per model: median over the processes, and the median of the per-round ratios."""
    limits = {} if options.quick else {target.model: target.limit for target in TARGETS}
    cells = 4 * options.length * options.batch * options.hidden  # bytes of one float for each element, row and unit
    return [
        {
            "model": name,
            "mib": statistics.median(values) / 2**20,
            "ratio": statistics.median(v / base for v, base in zip(values, found[BASELINE], strict=True)),
            "per_number": statistics.median(values) / cells,
            "limit": limits.get(name),
        }
        for name, values in found.items()
    ]


def in_child(name: str, options: argparse.Namespace) -> int:
    """Measure one model in a process of its own."""
    sizes = ("batch", "inputs", "length", "hidden", "threads")
    arguments = [f"--{size}={getattr(options, size)}" for size in sizes]
    command = [sys.executable, str(Path(__file__).resolve()), "--child", name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    return int(json.loads(done.stdout))


def peak_bytes(name: str, options: argparse.Namespace) -> int:
    """Bytes by which one training step raises the resident memory, at its peak."""
    sizes = (options.batch, options.inputs, options.hidden)
    compiled = options.length * options.batch * 4 * options.hidden >= COMPILE_FROM
    with compiling("always" if compiled else "never"):  # for the short warm-up too: the compiler needs much memory
        make_step(LAYERS[name], min(WARM_LENGTH, options.length), *sizes)()
        return raised_by(make_step(LAYERS[name], options.length, *sizes))


def raised_by(step: Callable[[], object]) -> int:
    """Bytes by which a call raises the resident memory, at its peak."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc: hand freed memory back, else the step would reuse it uncounted
    before = reset_peak()
    step()
    return max(0, peak() - before)


def reset_peak() -> int:
    """Forget the peak so far, where the system can; return the resident bytes now."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS") or peak()


def peak() -> int:
    """Most resident bytes so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(key: str) -> int:
    """Bytes under a key of /proc/self/status; 0 where there is none."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
