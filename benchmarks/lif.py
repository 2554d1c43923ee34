"""Cost of a training step (forward, backward) of LIF neurons along a sequence, beside other libraries' LIF neurons.

Two rows for each: the neurons alone, and with a Linear before them. Ours learns a threshold and a leak for every channel.
All models of a row run in one interleaved run; ratios are to ours. Peers: see benchmarks/peers.sh.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from common import Column, console, finish, options_parser, progress, show, start
from models import Build, version_of
from peers import Peer, installed
from rounds import interleave, ratios
from spikeseq import nn as snn
from spikeseq.ops.fuse import compiling

BASELINE = "LIF"
# how much longer than ours they must take at least
LEAST = {"SpikingJelly LIFNode": 1.0, "snnTorch Leaky": 3.0}
COLUMNS = (
    Column("model"), Column("version"), Column("ratio", "time / ours, median"), Column("low", "lower quartile"),
    Column("high", "upper quartile"), Column("cpu", "the same, CPU time"), Column("best", "best rounds"),
    Column("milliseconds", "CPU ms, best", digits=1), Column("least", "target, at least", digits=1),
)  # fmt: skip


class Ours(nn.Module):
    def __init__(self, linear: nn.Module, channels: int) -> None:
        super().__init__()
        self.linear, self.neurons = linear, snn.LIF(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.neurons(self.linear(x))[0]


class Jelly(nn.Module):
    """SpikingJelly, multi-step mode: the state lives in the module and is reset before every sequence."""

    def __init__(self, linear: nn.Module, neurons: nn.Module, reset: Callable[[nn.Module], None]) -> None:
        super().__init__()
        self.linear, self.neurons, self.reset = linear, neurons, reset

    def forward(self, x: Tensor) -> Tensor:
        self.reset(self.neurons)
        return self.neurons(self.linear(x))


class Loop(nn.Module):
    """snnTorch: the user writes the loop."""

    def __init__(self, linear: nn.Module, cell: Any) -> None:
        super().__init__()
        self.linear, self.cell = linear, cell

    def forward(self, x: Tensor) -> Tensor:
        mem, outputs = self.cell.reset_mem(), []
        for element in x:
            spikes, mem = self.cell(self.linear(element), mem)
            outputs.append(spikes)
        return torch.stack(outputs)


class Norse(nn.Module):
    def __init__(self, linear: nn.Module, neurons: nn.Module) -> None:
        super().__init__()
        self.linear, self.neurons = linear, neurons

    def forward(self, x: Tensor) -> Tensor:
        return self.neurons(self.linear(x))[0]


def _linear(inputs: int, channels: int) -> nn.Module:
    """The layer before the neurons; none where ``inputs`` is 0."""
    return nn.Linear(inputs, channels) if inputs else nn.Identity()


def _jelly(kind: str) -> Callable[[ModuleType, int, int], nn.Module]:
    def make(jelly: ModuleType, inputs: int, channels: int) -> nn.Module:
        from spikingjelly.activation_based.functional import reset_net

        return Jelly(_linear(inputs, channels), getattr(jelly, kind)(step_mode="m"), reset_net)

    return make


def _snntorch(snntorch: ModuleType, inputs: int, channels: int) -> nn.Module:
    cell = snntorch.Leaky(beta=0.95, learn_beta=True, learn_threshold=True)
    return Loop(_linear(inputs, channels), cell)


EAGER = "LIF, not compiled"
OURS: dict[str, Build] = dict.fromkeys(
    (BASELINE, EAGER), lambda inputs, channels: Ours(_linear(inputs, channels), channels)
)
PEERS = {
    "SpikingJelly LIFNode": Peer("spikingjelly", "spikingjelly.activation_based.neuron", _jelly("LIFNode")),
    "SpikingJelly ParametricLIFNode": Peer(
        "spikingjelly", "spikingjelly.activation_based.neuron", _jelly("ParametricLIFNode")
    ),
    "snnTorch Leaky": Peer("snntorch", "snntorch", _snntorch),
    "Norse LIF": Peer("norse", "norse.torch", lambda norse, inputs, c: Norse(_linear(inputs, c), norse.LIF())),
}


def make_step(build: Build, length: int, batch: int, inputs: int, hidden: int) -> Callable[[], None]:
    """Forward and backward as a call without arguments; same data for every model, gradients of input and parameters."""
    torch.manual_seed(0)
    model, channels = build(inputs, hidden), inputs or hidden
    x = (0.5 * torch.randn(length, batch, channels) + 0.2).requires_grad_()
    weight = torch.randn(length, batch, hidden)

    def step() -> None:
        for p in (x, *model.parameters()):
            p.grad = None
        (model(x) * weight).sum().backward()

    return step


def eagerly(step: Callable[[], None]) -> Callable[[], None]:
    """The same step, nothing of it compiled."""

    def run() -> None:
        with compiling("never"):
            step()

    return run


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_parser("lif", __doc__, rounds=9)
    parser.add_argument("--length", type=int, default=100, help="L, elements of the sequence")
    parser.add_argument("--hidden", type=int, default=256, help="C, channels")
    parser.set_defaults(batch=64, inputs=256)
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.length, options.batch, options.inputs, options.hidden = 2, 4, 8, 6, 6
    began = start(options)
    peers = installed(PEERS, make_step)
    builds = {**OURS, **peers.builds}
    versions = {**{name: version_of(name) for name in OURS}, **peers.versions}
    metrics: dict[str, Any] = {"rows": [], "targets": [], "absent": peers.absent}
    for label, inputs in (
        ("neurons alone", 0),
        (f"Linear {options.inputs} -> {options.hidden} before", options.inputs),
    ):
        rows = compare(builds, versions, inputs, options)
        metrics["rows"] += [{"layer": label, **row} for row in rows]
        metrics["targets"] += [
            {"layer": label, **row, "met": row["ratio"] >= row["least"]} for row in rows if row["least"]
        ]
        metrics.update({f"step time / LIF: {row['model']}, {label}": row["ratio"] for row in rows})
        show(rows, COLUMNS, f"{label}: B={options.batch}, L={options.length}, C={options.hidden}")
    for name, reason in peers.absent.items():
        console.print(f"not measured: {name}: {reason}", highlight=False, markup=False)
    finish("lif", options, began, metrics)
    return 0


def compare(
    builds: Mapping[str, Build], versions: Mapping[str, str], inputs: int, options: Namespace
) -> list[dict[str, Any]]:
    """Measure one layer: one row per model."""
    sizes = (options.length, options.batch, inputs, options.hidden)
    calls = {name: make_step(build, *sizes) for name, build in builds.items()}
    calls[EAGER] = eagerly(calls[EAGER])
    bar, advance = progress(options.rounds + 2, "Linear" if inputs else "neurons")
    with bar:
        rounds = interleave(calls, options.rounds, 2, advance)
    return [
        {
            "model": name, "version": versions[name], "ratio": ratio.median, **ratio._asdict(),
            "milliseconds": 1e3 * min(times[name].cpu for times in rounds),
            "least": None if options.quick else LEAST.get(name),
        }
        for name, ratio in ratios(rounds, BASELINE).items()
    ]  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
