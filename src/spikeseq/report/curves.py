"""Training curves of several runs beside each other: a colour for each model, a line for each seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spikeseq.errors import ConfigError
from spikeseq.report.figure import COLOURS, blank

DASHES = ("solid", (0, (6, 2)), (0, (2, 2)))
History = Sequence[Mapping[str, Any]]  # a row for each epoch: "epoch", "train_loss", "valid_.."
FIRST = ("accuracy", "per", "wer", "bleu")  # which of the validation figures is drawn
NAMES = {"per": "phone error rate", "wer": "word error rate"}


def compared_curves(histories: Mapping[str, Sequence[History]]) -> Figure:
    """Draw training loss and the validation figure over epochs, a panel each; fractions are shown in %.

    histories  label -> the history of each of its seeds
    Raises ConfigError when no row has an epoch together with one of the two.
    """
    rows = [row for runs in histories.values() for history in runs for row in history]
    panels = [key for key in ("train_loss", validation_key(rows)) if key and any(_there(row, key) for row in rows)]
    if not panels:
        raise ConfigError("compared_curves got no epoch with a train_loss or a validation figure: give histories")
    figure, axes = blank(columns=len(panels))
    for axis, key in zip(axes, panels, strict=True):
        part, _, name = key.partition("_")
        percent = name in ("accuracy", *NAMES)
        for place, (label, runs) in enumerate(histories.items()):
            style: dict[str, Any] = {
                "color": COLOURS[place % len(COLOURS)],
                "linestyle": DASHES[place // len(COLOURS) % len(DASHES)],
            }
            for number, history in enumerate(runs):
                points = [(row["epoch"], row[key] * (100 if percent else 1)) for row in history if _there(row, key)]
                x, y = [p[0] for p in points], [p[1] for p in points]
                marker = "o" if len(points) == 1 else None
                axis.plot(x, y, label=label if number == 0 else None, linewidth=1.5, marker=marker, **style)
        figures = [row[key] for row in rows if _there(row, key)]
        if part == "train" and min(figures) > 0 and max(figures) > 20 * min(figures):
            axis.set_yscale("log")
        which = "training" if part == "train" else "validation"
        axis.set(xlabel="epoch", ylabel=f"{NAMES.get(name, name)}, {which}{' [%]' if percent else ''}")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3 if max(map(len, labels)) < 28 else 2, frameon=False
    )
    return figure


def validation_key(rows: History) -> str | None:
    """The validation figure that all share best: accuracy, an error rate, else the first there is."""
    keys = dict.fromkeys(key for row in rows for key in row if key.startswith("valid_") and _there(row, key))
    known = [f"valid_{name}" for name in FIRST if f"valid_{name}" in keys]
    return next(iter([*known, *(key for key in keys if key != "valid_score")]), None)


def _there(row: Mapping[str, Any], key: str) -> bool:
    return isinstance(row.get(key), int | float) and isinstance(row.get("epoch"), int | float)
