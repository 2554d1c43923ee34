"""Line plots of a report: accuracy over T, benchmark scaling, training curves; `raster` and `save_png` beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spikeseq.errors import ConfigError, ShapeError
from spikeseq.report.figure import DASHES, blank, line_style, save_png
from spikeseq.report.raster import raster

__all__ = ["accuracy_over_time_steps", "lines", "raster", "save_png", "training_curves"]

LOG_AXES = ("", "x", "y", "xy")


def accuracy_over_time_steps(
    series: Mapping[str, Sequence[tuple[int, float]]], baselines: Mapping[str, float] | None = None
) -> Figure:
    """Draw accuracy [fraction in 0..1, shown in %] over T, one line per label; baselines are level dashed lines.

    Raises ConfigError when there is nothing to draw.
    """
    baselines = baselines or {}
    if not any(series.values()) and not baselines:
        raise ConfigError("accuracy_over_time_steps got no series and no baselines: give one")
    figure, (axis,) = blank()
    for index, (label, points) in enumerate(series.items()):
        ordered = sorted(points)
        axis.plot([t for t, _ in ordered], [100 * a for _, a in ordered], label=label, **line_style(index))
    for index, (label, accuracy) in enumerate(baselines.items()):
        dashes = DASHES[index % len(DASHES)]
        grey = ("black", "#777777")[index % 2]
        axis.axhline(100 * accuracy, color=grey, linewidth=1.2, linestyle=dashes, label=f"{label} {accuracy:.2%}")
    _ticks_at(axis, sorted({t for points in series.values() for t, _ in points}))
    axis.set(xlabel="SNN time steps T per sequence element", ylabel="accuracy [%]")
    _legend_below(figure)
    return figure


def lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    title: str = "",
    log: str = "",
) -> Figure:
    """Draw one line per label over common x; NaN leaves a gap; `log` names the logarithmic axes: "", "x", "y", "xy".

    Raises:
        ShapeError: a series is not as long as x.
        ConfigError: `log` is something else.
    """
    if log not in LOG_AXES:
        raise ConfigError(f"log is {log!r}: give one of {', '.join(map(repr, LOG_AXES))}")
    figure, (axis,) = blank()
    for index, (label, values) in enumerate(series.items()):
        if len(values) != len(x):
            raise ShapeError(f"series {label!r} has {len(values)} values for {len(x)} values of x")
        axis.plot(x, values, label=label, **line_style(index))
    if "y" in log:
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))  # costs compare by height only from zero
    if "x" in log:
        _ticks_at(axis, sorted(set(x)))
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.set_title(title, loc="left", fontsize=11)
    _legend_below(figure)
    return figure


def training_curves(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw loss and accuracy over epochs, a panel each.

    rows       one dict per epoch or log line: "epoch" and any keys that end in "loss" or "accuracy" (fractions,
               shown in %); a key may be missing, None or "" in a row, as in a CSV log

    Raises ConfigError when no row has an epoch together with a loss or an accuracy.
    """
    keys = dict.fromkeys(key for row in rows for key in row if key.endswith(("loss", "accuracy")))
    curves = {key: points for key in keys if (points := _points(rows, key))}
    panels = [(end, [k for k in curves if k.endswith(end)]) for end in ("loss", "accuracy")]
    panels = [(end, members) for end, members in panels if members]
    if not panels:
        raise ConfigError("training_curves got no rows with an epoch and a loss or an accuracy: give the epoch log")
    figure, axes = blank(columns=len(panels), height=4.5)
    for axis, (end, members) in zip(axes, panels, strict=True):
        factor = 100 if end == "accuracy" else 1
        for index, key in enumerate(members):
            epochs, values = zip(*curves[key], strict=True)
            axis.plot(
                epochs, [factor * v for v in values], label=key.replace("_", " "), markersize=4, **line_style(index)
            )
        axis.set(xlabel="epoch", ylabel="accuracy [%]" if end == "accuracy" else "loss")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)  # above, where no curve is
    return figure


def _points(rows: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    filled = [row for row in rows if row.get(key) not in (None, "") and row.get("epoch") not in (None, "")]
    return [(float(row["epoch"]), float(row[key])) for row in filled]


def _ticks_at(axis: Axes, values: Sequence[float]) -> None:
    """Put a logarithmic x axis with ticks at the measured values only."""
    if not values:
        return
    axis.set_xscale("log", base=2)
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.set_xticks([], minor=True)


def _legend_below(figure: Figure) -> None:
    """Set the legend outside of the axes, where it can cover no point."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if labels:
        columns = 3 if max(map(len, labels)) <= 28 else 2
        figure.legend(handles, labels, loc="outside lower center", ncols=min(columns, len(labels)), frameon=False)
