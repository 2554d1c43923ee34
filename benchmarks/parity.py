"""Parity of the exchange formats, for benchmarks/reliability.py: trained networks in ONNX Runtime, and through a NIR file.

Other frameworks that read NIR are compared by benchmarks/exchange.py, which needs them (results/bench/exchange.json).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from spikeseq import data
from spikeseq.errors import ConfigError


def parity_rows(folder: Path, steps: int, sequences: int) -> list[dict[str, Any]]:
    """One row for each network: ``case``, ``framework``, compared ``spikes``, share that ``differ``, or why ``refused``."""
    try:
        import onnx  # noqa: F401

        import exchange
        import exchange_onnx
        from spikeseq.exchange import from_nir, to_nir
    except ImportError as error:
        return [{"case": "exchange formats", "framework": "", "refused": f"not installed: {error.name}"}]
    rows = exchange_onnx.onnx_rows(steps, sequences, 1)
    x = exchange.sequences(data.load("digits", order="rows").test.x[:sequences])
    for name in exchange.NETWORKS:
        model, path = exchange.network(name, steps), folder / "network.nir"
        try:
            to_nir(model, path)
            imported = from_nir(path).model
        except ConfigError as error:
            rows.append({"case": name, "framework": "NIR, written and read", "refused": str(error)})
            continue
        with torch.no_grad():
            ours, theirs = model(x)[0], imported(x)[0]
        differ = float((ours != theirs).float().mean())
        found = {"spikes": ours.numel(), "differ": differ, "rate": float(ours.mean())}
        rows.append({"case": name, "framework": "NIR, written and read", **found})
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A row of the record's table; a network that never spikes shows nothing and is not good."""
    ran = [row for row in rows if "differ" in row]
    good = sum(row["differ"] == 0 and row["rate"] > 0 for row in ran)
    spikes, refused = sum(row["spikes"] for row in ran), len(rows) - len(ran)
    detail = f"{spikes} outputs compared; {refused} refused" + "".join(
        f" ({r['refused']})" for r in rows if "refused" in r
    )
    return {
        "what": "networks in ONNX Runtime and through NIR: every spike equal",
        "tried": len(ran),
        "good": good,
        "detail": detail,
    }
