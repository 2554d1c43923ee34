"""Cost of a training step (forward, backward, SGD) relative to torch.nn.LSTM, beside other libraries' spiking LSTMs.

All models of one size run in one interleaved run. Peers are measured where they are installed: benchmarks/peers.sh
makes an environment that has them.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

import gemm
from common import Column, Target, check_targets, console, finish, options_parser, progress, show, start
from models import BASELINE, LAYERS, Build, make_step, version_of
from peers import NOTES, Installed, installed
from rounds import interleave, ratios

TARGETS = (Target("QuantizedLSTM T=2", 1.2), Target("SpikingLSTM T=2", 2.0))
SQUARE = (BASELINE, "QuantizedLSTM T=2", "SpikingLSTM T=2", "snnTorch SLSTM")  # also at I = H, where SLSTM has memory
COLUMNS = (
    Column("model"), Column("version"), Column("ratio", "ratio, median"), Column("low", "lower quartile"),
    Column("high", "upper quartile"), Column("cpu", "ratio, CPU time"), Column("best", "ratio, best round"),
    Column("limit", "target", digits=1),
)  # fmt: skip
RATES = ("product", "M x N x K", Column("mm GFLOP/s", digits=0), Column("oneDNN GFLOP/s", digits=0), "mm / oneDNN")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_parser("train_step", __doc__, rounds=9)
    parser.add_argument("--length", type=int, default=100, help="L, elements of the sequence")
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 512], help="H, one run each")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.length, options.batch, options.inputs, options.hidden = 2, 4, 8, 6, [16]
    began = start(options)
    peers = installed()
    builds = {**LAYERS, **peers.builds}
    versions = {**{name: version_of(name) for name in LAYERS}, **peers.versions}
    sizes = [(options.inputs, hidden, tuple(builds)) for hidden in options.hidden]
    sizes += [(hidden, hidden, tuple(name for name in SQUARE if name in builds)) for hidden in options.hidden]
    metrics: dict[str, Any] = {"rows": [], "targets": [], "gemm": [], "absent": peers.absent}
    for inputs, hidden, names in sizes:
        rows = compare({name: builds[name] for name in names}, versions, inputs, hidden, options)
        targets = () if options.quick or inputs != options.inputs else TARGETS
        add(metrics, rows, targets, inputs, hidden)
        show(rows, COLUMNS, f"training step: B={options.batch}, L={options.length}, I={inputs}, H={hidden}")
    for hidden in options.hidden:
        rates = gemm.rates(options.batch, options.inputs, hidden, options.rounds)
        metrics["gemm"] += rates
        show(rates, RATES, f"matrix products, float32, H={hidden}")
    say_remarks(peers)
    finish("train_step", options, began, metrics)
    return 0


def compare(
    builds: Mapping[str, Build], versions: Mapping[str, str], inputs: int, hidden: int, options: Namespace
) -> list[dict[str, Any]]:
    """Measure one size: one row per model."""
    steps = {name: make_step(build, options.length, options.batch, inputs, hidden) for name, build in builds.items()}
    bar, advance = progress(options.rounds + 2, f"I={inputs} H={hidden}")
    with bar:
        found = ratios(interleave(steps, options.rounds, 2, advance), BASELINE)
    return [
        {"model": name, "version": versions[name], "ratio": ratio.median, **ratio._asdict()}
        for name, ratio in found.items()
    ]


def add(
    metrics: dict[str, Any], rows: Sequence[dict[str, Any]], targets: Sequence[Target], inputs: int, hidden: int
) -> None:
    """Put the rows of one size into the metrics; the ratios also as scalars, for the results page."""
    size = f"I={inputs} H={hidden}"
    limits = {target.model: target.limit for target in targets}
    for row in rows:
        row["limit"] = limits.get(row["model"])
    found = {row["model"]: row["ratio"] for row in rows}
    metrics["rows"] += [{"inputs": inputs, "hidden": hidden, **row} for row in rows]
    metrics["targets"] += [{"inputs": inputs, "hidden": hidden, **t} for t in check_targets(found, targets)]
    metrics.update({f"step time / {BASELINE}: {name}, {size}": ratio for name, ratio in found.items()})


def say_remarks(peers: Installed) -> None:
    for note in NOTES:
        console.print(f"note: {note}", highlight=False)
    for name, reason in peers.absent.items():
        console.print(f"not measured: {name}: {reason}", highlight=False, markup=False)


if __name__ == "__main__":
    raise SystemExit(main())
