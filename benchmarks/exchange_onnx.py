"""ONNX files beside torch on real test data, for benchmarks/exchange.py: spiking LSTMs, trained for a moment."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spikeseq import data
from spikeseq.data import SequenceData
from spikeseq.errors import DataError
from spikeseq.exchange import to_onnx
from spikeseq.nn.classifier import SequenceClassifier

SETS: dict[str, dict[str, Any]] = {"digits": {"order": "rows"}, "mnist": {"order": "rows"}, "uci_har": {}}
CELLS: dict[str, dict[str, Any]] = {"quantized_lstm": {"time_steps": 2}, "spiking_lstm": {"time_steps": 2}}
MOST = 500  # test sequences


def trained(found: SequenceData, cell: str, options: dict[str, Any], steps: int) -> SequenceClassifier:
    """A classifier of so few steps of training that only its numbers are real."""
    torch.manual_seed(0)
    model = SequenceClassifier(found.input_size, 48, found.num_classes, cell, options=options)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    order = torch.randperm(len(found.train.x), generator=torch.Generator().manual_seed(0))
    for step in range(steps):
        rows = order[(torch.arange(64) + 64 * step) % len(order)]
        loss = nn.functional.cross_entropy(model(found.train.x[rows]), found.train.y[rows])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model.eval()


def runtime(model: Any, x: Tensor) -> Tensor:
    """Run an ONNX model of whole sequences."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    made = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return torch.from_numpy(made.run(None, {"x": x.numpy()})[0])


def onnx_rows(steps: int, most: int = MOST, sets: int = len(SETS)) -> list[dict[str, Any]]:
    """On the first ``sets`` data sets: accuracy of both, the share of the layer's outputs h that differ, and of classes."""
    rows: list[dict[str, Any]] = []
    for name, options in list(SETS.items())[:sets]:
        try:
            found = data.load(name, **options)
        except DataError as error:
            rows.append({"case": name, "refused": str(error)[:90]})
            continue
        x, y = found.test.x[:most], found.test.y[:most]
        for cell, settings in CELLS.items():
            model = trained(found, cell, settings, steps)
            with torch.no_grad():
                h, logits = model.rnn(x)[0], model(x)
            theirs = runtime(to_onnx(model, form="whole"), x)
            differ = (runtime(to_onnx(model.rnn, form="whole"), x) - h).abs() > 1e-4
            rows.append(
                {
                    "case": f"{name}, {cell} T = 2", "framework": "ONNX Runtime", "spikes": h.numel(),
                    "differ": float(differ.float().mean()), "rate": float(h.abs().mean()),
                    "classes": float((theirs.argmax(1) != logits.argmax(1)).float().mean()),
                    "ours": float((logits.argmax(1) == y).float().mean()),
                    "theirs": float((theirs.argmax(1) == y).float().mean()),
                }
            )  # fmt: skip
    return rows
