"""Time of one element over the share of spikes, from the record of benchmarks/runtime.py.

python benchmarks/runtime_plot.py results/bench/runtime.json docs/runtime_density.png
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from spikeseq.report.plots import lines, save_png
from spikeseq.report.record import read_record


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", type=Path)
    parser.add_argument("png", type=Path)
    parser.add_argument("--hidden", type=int, default=1024, help="H")
    options = parser.parse_args(arguments)
    save_png(draw(read_record(options.record).metrics["rows"], options.hidden), options.png)
    return 0


def draw(rows: Sequence[dict[str, Any]], hidden: int) -> Figure:
    """The runtime's lines over the density that was set, everything else level; time on a logarithmic axis."""
    own = [row for row in rows if row["hidden"] == hidden and str(row.get("setting") or "set").startswith("set")]
    x = sorted({row["density"] for row in own if row.get("density") is not None})
    series = {}
    for name in dict.fromkeys(row["contender"] for row in own):
        times = {row.get("density"): row["median_us"] for row in own if row["contender"] == name}
        series[name] = [times.get(density, times.get(None, math.nan)) for density in x]
    title = f"Time of one element, batch 1, one thread, H={hidden}"
    percent = [100 * density for density in x]
    return lines(percent, series, "spikes per unit and time step [%]", "µs per element, median", title, log="y")


if __name__ == "__main__":
    raise SystemExit(main())
