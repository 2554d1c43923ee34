"""Plots of a sweep: accuracy against energy, or the accuracy of each trial in its order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from matplotlib.figure import Figure

from spikeseq.errors import ConfigError
from spikeseq.report.energy_plots import Point, frontier
from spikeseq.report.figure import COLOURS, blank


def pareto(rows: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """Draw all trials, ``number``, ``accuracy``, ``energy`` [pJ]; a line joins those that none beats in both."""
    points = [Point(str(row["number"]), "trials", row["energy"], row["accuracy"]) for row in rows]
    return frontier(points, title)


def trials(rows: Sequence[Mapping[str, Any]], key: str, highest: bool = True, title: str = "") -> Figure:
    """Draw ``key`` of each trial over its number, and the best so far. Raises ConfigError where there is no trial."""
    if not rows:
        raise ConfigError("trials got no rows: finish a trial first")
    numbers, values = [row["number"] for row in rows], [row[key] for row in rows]
    figure, (axis,) = blank()
    axis.plot(numbers, values, "o", color=COLOURS[0], label="trial")
    axis.step(
        numbers, list(accumulate(values, max if highest else min)), where="post", color=COLOURS[1], label="best so far"
    )
    axis.set(xlabel="trial", ylabel=key)
    axis.set_title(title, loc="left", fontsize=11)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure
