"""Cost of a training step against T (SNN time steps) and L (sequence length), in units of one of torch.nn.LSTM.

All points are measured in one interleaved run. Against L the curves should be straight lines; against T the one of the
quantised graph should be level.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from common import Column, finish, options_parser, positive, progress, show, start
from models import BASELINE, LAYERS, Build, make_step, quantized, spiking
from rounds import Times, interleave, ratios
from spikeseq.report.plots import lines, save_png

FAMILIES = {"QuantizedLSTM": quantized, "SpikingLSTM": spiking}
LONG = {BASELINE: None, "QuantizedLSTM": 2, "SpikingLSTM": 2}  # model -> T of its curve against L
COLUMNS = (
    Column("model"), Column("time_steps", "T"), Column("length", "L"), Column("ratio", "ratio, median"),
    Column("cpu", "ratio, CPU time"), Column("best", "ratio, best round"),
)  # fmt: skip


class Point(NamedTuple):
    """One training step that is measured."""

    model: str
    time_steps: int | None
    length: int


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_parser("scaling", __doc__, rounds=7)
    parser.add_argument("--time-steps", type=positive, nargs="+", default=[1, 2, 4, 8], help="T, powers of two")
    parser.add_argument("--length", type=positive, default=100, help="L of the unit, and of the curve against T")
    parser.add_argument("--lengths", type=positive, nargs="+", default=[50, 100, 200, 400, 800], help="L")
    parser.add_argument("--hidden", type=positive, default=128, help="H")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.batch, options.inputs, options.hidden = 2, 8, 6, 16
        options.time_steps, options.length, options.lengths = [1, 2], 4, [4, 8]
    began = start(options)
    rounds = measure(points(options), options)
    found = ratios(rounds, Point(BASELINE, None, options.length))
    rows = [{**point._asdict(), "ratio": r.median, **r._asdict()} for point, r in found.items()]
    show(rows, COLUMNS, f"cost in training steps of {BASELINE} at L={options.length}; {sizes_text(options)}")
    draw({point: ratio.median for point, ratio in found.items()}, options)
    finish("scaling", options, began, {"rows": rows, **straightness(rounds, options), **flatness(rounds, options)})
    return 0


def points(options: Namespace) -> list[Point]:
    """Return every training step to measure, none twice."""
    over_time_steps = [Point(family, steps, options.length) for family in FAMILIES for steps in options.time_steps]
    over_length = [Point(model, steps, length) for model, steps in LONG.items() for length in options.lengths]
    return list(dict.fromkeys([Point(BASELINE, None, options.length), *over_time_steps, *over_length]))


def measure(wanted: Sequence[Point], options: Namespace) -> list[dict[Point, Times]]:
    sizes = (options.batch, options.inputs, options.hidden)
    steps = {point: make_step(build(point), point.length, *sizes) for point in wanted}
    bar, advance = progress(options.rounds + 2, "rounds")
    with bar:
        return interleave(steps, options.rounds, 2, advance)


def build(point: Point) -> Build:
    return LAYERS[point.model] if point.time_steps is None else FAMILIES[point.model](point.time_steps)


def straightness(rounds: Sequence[Mapping[Point, Times]], options: Namespace) -> dict[str, float]:
    """Time per element at the longest L over that at the shortest: 1 where the cost is linear in L."""
    short, long = min(options.lengths), max(options.lengths)
    found = {}
    for model, steps in LONG.items():
        ratio = ratios(rounds, Point(model, steps, short))[Point(model, steps, long)].median
        found[f"time per element, L={long} over L={short}: {label(model, steps)}"] = ratio * short / long
    return found


def flatness(rounds: Sequence[Mapping[Point, Times]], options: Namespace) -> dict[str, float]:
    """Time at the largest T over that at the smallest: 1 where the cost does not depend on T."""
    few, many = min(options.time_steps), max(options.time_steps)
    found = {}
    for family in FAMILIES:
        ratio = ratios(rounds, Point(family, few, options.length))[Point(family, many, options.length)].median
        found[f"step time, T={many} over T={few}: {family}"] = ratio
    return found


def draw(found: Mapping[Point, float], options: Namespace) -> None:
    """Write both plots beside the record."""
    unit = f"training step / {BASELINE} at L={options.length}"
    level = {BASELINE: [1.0] * len(options.time_steps)}
    over_t = {family: [found[Point(family, t, options.length)] for t in options.time_steps] for family in FAMILIES}
    over_l = {label(m, t): [found[Point(m, t, length)] for length in options.lengths] for m, t in LONG.items()}
    title = f"Cost of a training step, {sizes_text(options)}"
    x = "SNN time steps T per sequence element"
    figure = lines(options.time_steps, {**level, **over_t}, x, unit, f"{title}, L={options.length}", log="x")
    save_png(figure, options.out / "scaling_time_steps.png")
    save_png(lines(options.lengths, over_l, "sequence length L", unit, title), options.out / "scaling_length.png")


def label(model: str, time_steps: int | None) -> str:
    return model if time_steps is None else f"{model} T={time_steps}"


def sizes_text(options: Namespace) -> str:
    return f"B={options.batch}, I={options.inputs}, H={options.hidden}"


if __name__ == "__main__":
    raise SystemExit(main())
