"""Plots of energy: what each layer of each network costs, and accuracy against energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spikeseq.errors import ConfigError
from spikeseq.report.figure import COLOURS, blank, line_style

PARTS = ("macs", "acs", "other", "memory")  # of a layer's energy, and how each is drawn
HATCHES = {"macs": "", "acs": "////", "other": "....", "memory": "xxxx"}


@dataclass(frozen=True)
class Point:
    """One network of a frontier."""

    label: str  # of the network, written beside the point
    series: str  # points of one series share colour and marker
    energy: float  # pJ for each sequence element
    accuracy: float  # fraction


def stacked_energy(panels: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]) -> Figure:
    """Draw one bar for each network, stacked by layer (colour) and kind of operation (hatching); a panel for each title.

    panels  title -> network -> layer -> part (of PARTS) -> pJ for each sequence element
    Raises ConfigError when there is nothing to draw.
    """
    if not panels or not all(panels.values()):
        raise ConfigError("stacked_energy got no panels or no networks: give at least one bar")
    figure, axes = blank(columns=len(panels))
    layers = list(dict.fromkeys(layer for bars in panels.values() for bar in bars.values() for layer in bar))
    colours = {layer: COLOURS[i % len(COLOURS)] for i, layer in enumerate(layers)}
    used: set[str] = set()
    for axis, (title, bars) in zip(axes, panels.items(), strict=True):
        for place, bar in enumerate(bars.values()):
            bottom = 0.0
            for layer in layers:
                for part in PARTS:
                    height = bar.get(layer, {}).get(part, 0.0) / 1000
                    if height:
                        used.add(part)
                        axis.bar(
                            place, height, 0.7, bottom, color=colours[layer], hatch=HATCHES[part], edgecolor="white",
                            linewidth=0.4,
                        )  # fmt: skip
                    bottom += height
            axis.text(place, bottom, f"{bottom:,.1f}", ha="center", va="bottom", fontsize=8)
        axis.set_xticks(range(len(bars)), list(bars), rotation=30, ha="right", fontsize=9)
        axis.set_title(title, loc="left", fontsize=10)
        axis.grid(False, axis="x")
    axes[0].set_ylabel("energy for each sequence element [nJ]")
    names = {"macs": "MACs", "acs": "ACs", "other": "gates, neurons, comparisons", "memory": "memory"}
    handles = [Patch(color=colours[layer], label=layer) for layer in layers]
    handles += [
        Patch(facecolor="#999999", edgecolor="white", hatch=HATCHES[p], label=names[p]) for p in PARTS if p in used
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)), frameon=False, fontsize=9)
    return figure


def frontier(points: Sequence[Point], title: str = "") -> Figure:
    """Draw accuracy [%] over energy [nJ, logarithmic]; a grey line joins the points that none beats in both.

    Raises ConfigError when there are no points or an energy is not positive.
    """
    if not points or any(p.energy <= 0 for p in points):
        raise ConfigError("frontier needs points with an energy above 0")
    figure, (axis,) = blank()
    series = list(dict.fromkeys(p.series for p in points))
    best = sorted(efficient(points), key=lambda p: p.energy)
    axis.plot([p.energy / 1000 for p in best], [100 * p.accuracy for p in best], color="#bbbbbb", linewidth=4, zorder=1)
    for index, name in enumerate(series):
        own = [p for p in points if p.series == name]
        style = {**line_style(index), "linewidth": 0}
        axis.plot([p.energy / 1000 for p in own], [100 * p.accuracy for p in own], label=name, zorder=3, **style)
        for p in own:
            axis.annotate(
                p.label, (p.energy / 1000, 100 * p.accuracy), xytext=(4, -9), textcoords="offset points", fontsize=7
            )
    axis.set_xscale("log")
    axis.set(xlabel="energy for each sequence element [nJ]", ylabel="accuracy [%]")
    axis.set_title(title, loc="left", fontsize=11)
    axis.margins(x=0.12, y=0.08)
    figure.legend(loc="outside lower center", ncols=min(4, len(series)), frameon=False, fontsize=9)
    return figure


def efficient(points: Sequence[Point]) -> list[Point]:
    """The points that no other one equals or beats in energy and accuracy, and beats in one of the two."""

    def beaten(p: Point) -> bool:
        return any(
            q.energy <= p.energy and q.accuracy >= p.accuracy and (q.energy, q.accuracy) != (p.energy, p.accuracy)
            for q in points
        )

    return [p for p in points if not beaten(p)]
