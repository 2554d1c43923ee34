"""Operations of each layer: rows of a table, and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from spikeseq.errors import ConfigError
from spikeseq.report.columns import Column
from spikeseq.report.figure import COLOURS, blank

FIELDS = ("macs", "acs", "gated_adds", "comparisons", "spikes")
COLUMNS = (
    Column("model"),
    Column("layer"),
    *(Column(key, heading, digits=1) for key, heading in zip(
        FIELDS, ("MACs", "ACs", "gated adds", "comparisons", "unit spikes"), strict=True
    )),
)  # fmt: skip


def operation_rows(model: str, counts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each layer, operations for each sequence element.

    counts  what ``energy.Counts.to_dict`` returns, or a record keeps of it: per_layer, elements
    Raises ConfigError when it is something else.
    """
    try:
        elements = float(counts["elements"])
        return [
            {"model": model, "layer": layer["name"] or "layer", **{f: layer[f] / elements for f in FIELDS}}
            for layer in counts["per_layer"]
        ]
    except (KeyError, TypeError, ZeroDivisionError) as error:
        raise ConfigError(f"counts of {model} are not those of energy.count ({error!r}): count anew") from error


def operation_bars(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw MACs and ACs of each row of ``operation_rows``, logarithmic. Raises ConfigError when there is none above 0."""
    shown = [row for row in rows if row["macs"] > 0 or row["acs"] > 0]
    if not shown:
        raise ConfigError("operation_bars got no layer that does anything: leave the picture out")
    figure, (axis,) = blank(height=max(2.4, 0.5 * len(shown) + 1.3))
    smallest = min(row[key] for row in shown for key in ("macs", "acs") if row[key] > 0)
    for offset, (key, label) in enumerate((("macs", "MACs"), ("acs", "ACs"))):
        places = [place + 0.4 * offset - 0.2 for place, row in enumerate(shown) if row[key] > 0]
        values = [row[key] for row in shown if row[key] > 0]
        bars = axis.barh(
            places, values, 0.36, color=COLOURS[offset], label=label, hatch=("", "////")[offset], edgecolor="w"
        )
        axis.bar_label(bars, [f" {value:,.0f}" if value >= 100 else f" {value:,.3g}" for value in values], fontsize=8)
    axis.set_xscale("log")
    largest = max(row[key] for row in shown for key in ("macs", "acs"))
    axis.set_xlim(min(1.0, smallest) / 2, 8 * largest)  # room for the labels
    axis.set_yticks(range(len(shown)), [f"{row['model']}: {row['layer']}" for row in shown], fontsize=8)
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    axis.set_xlabel("operations for each sequence element")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure
