"""What the runtime must reach at T = 2 and 10 % spikes, and whether it did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common import Column

SETTING = "set 10%"
TIMES_LSTM_CELL = {512: 5.0, 1024: 10.0}  # H -> float32; int8 twice that
SHARE_OF_BOUND = {1024: 0.6}
SPEEDS = ("speed", "best_speed", "cold_speed")
COLUMNS = (
    Column("what"), Column("hidden", "H"), Column("limit", "at least", digits=1), Column("value", "found"),
    Column("best", "best over best"), Column("cold", "cold"), Column("met"),
)  # fmt: skip


def check(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per target; a target of which something was not measured is left out.

    ``met`` is about the median of a stream in its own caches; beside it the same of the best times, and after other work.
    """
    found = {(row["hidden"], row["contender"]): row for row in rows if row.get("setting") in (None, SETTING)}
    targets = []
    for hidden in sorted({hidden for hidden, _ in found}):
        ours = {kind: found.get((hidden, f"spikeseq {kind}")) for kind in ("float32", "int8")}
        if not all(ours.values()):
            continue
        limit = TIMES_LSTM_CELL.get(hidden)
        if limit:
            for kind, times in (("float32", 1), ("int8", 2)):
                speeds = [ours[kind][key] for key in SPEEDS]
                targets.append(_target(f"{kind}: speed / torch.nn.LSTMCell", hidden, limit * times, speeds))
        onnx = found.get((hidden, "ONNX Runtime LSTM int8"))
        if onnx:
            for kind, own in ours.items():
                speeds = [own[key] / onnx[key] for key in SPEEDS]
                targets.append(_target(f"{kind}: speed / ONNX Runtime int8", hidden, 1.0, speeds))
        if hidden in SHARE_OF_BOUND:
            for kind, own in ours.items():
                shares = [own["bound_us"] / own[key] for key in ("median_us", "best_us", "cold_us")]
                targets.append(_target(f"{kind}: share of the memory bound", hidden, SHARE_OF_BOUND[hidden], shares))
    return targets


def _target(what: str, hidden: int, limit: float, found: Sequence[float]) -> dict[str, Any]:
    value, best, cold = found
    return {
        "what": what,
        "hidden": hidden,
        "limit": limit,
        "value": value,
        "best": best,
        "cold": cold,
        "met": value >= limit,
    }
