"""``spikeseq latency``: cycles of a spiking network, one node after another and pipelined."""

from __future__ import annotations

from rich.console import Console

from spikeseq.errors import ConfigError
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.frames import FrameClassifier
from spikeseq.nn.kinds import QuantizedKind
from spikeseq.nn.recurrent import Recurrent
from spikeseq.ops.schedule import Order, Schedule
from spikeseq.report.figure import save_png
from spikeseq.report.gantt import gantt
from spikeseq.report.table import Column, rich_table

console = Console(soft_wrap=True, markup=False, highlight=False)
ORDERS: dict[Order, str] = {
    "serial": "serial",
    "element": "element-synchronous",
    "wavefront": "wavefront",
}
COLUMNS = [
    Column("order"), Column("cycles"), Column("gain", "times fewer"), Column("delay", "delay of an element"),
    Column("interval", "cycles per element, sustained"), Column("units", "nodes at once"),
]  # fmt: skip
DRAWN = 12  # elements; the pattern repeats


def latency(
    checkpoint: str | None = None,
    seq_len: int = 100,
    time_steps: int | None = None,
    layers: int | None = None,
    plot: str | None = None,
) -> None:
    """Print the cycles of a spiking network: serial, element-synchronous and wavefront; a cycle is the time of one node.

    Args:
        checkpoint: model file (runs/X/model.pt); T and layers are its own
        seq_len: elements of a sequence, L
        time_steps: T, 2 if left out and no checkpoint is given
        layers: spiking layers, 1 if left out and no checkpoint is given
        plot: PNG file for the schedules of the first elements
    """
    if checkpoint is not None:
        if time_steps is not None or layers is not None:
            raise ConfigError(
                f"time_steps={time_steps}, layers={layers} with checkpoint={checkpoint!r}: leave them out, it has its own"
            )
        time_steps, layers = sizes_of(checkpoint)
    sizes = (2 if time_steps is None else time_steps, 1 if layers is None else layers)
    schedules = {order: Schedule(seq_len, *sizes, order) for order in ORDERS}
    serial = schedules["serial"].cycles
    lines = [
        {
            "order": label, "cycles": s.cycles, "gain": serial / s.cycles, "delay": s.delay, "interval": s.interval,
            "units": s.units,
        }
        for label, s in zip(ORDERS.values(), schedules.values(), strict=True)
    ]  # fmt: skip
    title = f"L = {seq_len}, T = {sizes[0]}, layers = {sizes[1]}"
    Console(width=max(110, console.width)).print(rich_table(lines, COLUMNS, title=title))
    console.print("delay: cycles from the arrival of an element until its output is complete")
    console.print(f"wavefront, element by cycle:\n{schedules['wavefront']}")
    if plot:
        first = min(seq_len, DRAWN)
        save_png(gantt({ORDERS[order]: Schedule(first, *sizes, order).rows() for order in ORDERS}), plot)
        console.print(f"written: {plot}, elements 1 to {first}")


def sizes_of(checkpoint: str) -> tuple[int, int]:
    """T and layers of a model file. Raises ConfigError where it has no time steps, or cannot run along a stream."""
    model = load_model(checkpoint)[0]
    layer = model.rnn if isinstance(model, SequenceClassifier | FrameClassifier) else model
    if not isinstance(layer, Recurrent) or not isinstance(layer.kind, QuantizedKind):
        raise ConfigError(
            f"checkpoint {checkpoint!r} holds {type(layer).__name__}, which has no time steps: convert it first "
            "(spikeseq convert), or leave it out and pass time_steps and layers"
        )
    if layer.bidirectional:
        raise ConfigError(
            f"checkpoint {checkpoint!r} has bidirectional=True: a backward direction has no streaming order"
        )
    return layer.kind.time_steps, layer.num_layers
