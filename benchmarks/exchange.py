"""Networks that cross to and from other frameworks, compared spike for spike on test data (peers.sh installs them).

NIR: a network of ours, trained for a moment, written as a NIR graph and imported by each framework. State: a network of the
framework's neurons, loaded by its state_dict. ONNX: spiking LSTMs in ONNX Runtime. A row says which share of all spikes
differs (0: every one equal). With --model nothing but a trained network for pictures, in its own record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from common import Column, console, finish, options_parser, show, start
from exchange_onnx import onnx_rows
from exchange_peers import LATE_CASES, NIR_PEERS, STATE_CASES, WRITERS, Case, quiet, run_case, written_by
from spikeseq import data
from spikeseq import nn as snn
from spikeseq.exchange import from_snntorch, from_spikingjelly, to_nir
from spikeseq.nn.checkpoint import load_model

COLUMNS = (
    Column("case"), Column("framework"), Column("differ", "share of spikes that differ", digits=6),
    Column("rate", "spike rate", digits=3), Column("spikes", "spikes compared", digits=0), Column("refused", "why not"),
)  # fmt: skip
ONNX_COLUMNS = (
    *COLUMNS[:-1], Column("ours", "accuracy, torch", digits=4), Column("theirs", "accuracy, ONNX Runtime", digits=4),
    COLUMNS[-1],
)  # fmt: skip
NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "LIF, leak 0.9": lambda c: snn.LIF(leak=0.9, reset="zero"),
    "LIF, a leak for each channel": lambda c: snn.LIF(c, leak=0.9, reset="zero"),
    "IF": lambda c: snn.IF(reset="zero"),
    "CubaLIF": lambda c: snn.CubaLIF(leak=0.9, current_leak=0.7, reset="zero"),
}
HIDDEN, SEEN = 64, 2  # units; times that a digit's rows are shown


def network(name: str, steps: int) -> snn.Sequential:
    """A classifier of digits by spikes, trained for some steps."""
    torch.manual_seed(0)
    layers = [nn.Linear(8, HIDDEN), NETWORKS[name](HIDDEN), nn.Linear(HIDDEN, 10), NETWORKS[name](10)]
    model = snn.Sequential(*layers)
    with torch.no_grad():
        model[2].weight.mul_(3)  # so that the last layer fires from the start
    train = data.load("digits", order="rows").train
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(steps):
        rows = (torch.arange(64) + 64 * step) % len(train.x)
        loss = nn.functional.cross_entropy(model(sequences(train.x[rows]))[0].mean(0) * 10, train.y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def sequences(x: Tensor) -> Tensor:
    """``[B, 8, 8]`` -> ``[L, B, 8]``: the rows, several times, about as large as a threshold."""
    return 2 * x.repeat(1, SEEN, 1).transpose(0, 1)


def row(case: str, framework: str, run: Callable[[], tuple[Tensor, Tensor]]) -> dict[str, Any]:
    """Spikes as we and as the framework have them."""
    try:
        with torch.no_grad(), quiet():
            ours, theirs = run()
    except Exception as error:  # foreign code raises what it likes
        return {
            "case": case,
            "framework": framework,
            "refused": f"{type(error).__name__}: {' '.join(str(error).split())[:90]}",
        }
    differ = float((ours != theirs.to(ours)).float().mean())
    return {"case": case, "framework": framework, "differ": differ, "rate": float(ours.mean()), "spikes": ours.numel()}


def nir_rows(x: Tensor, y: Tensor, steps: int) -> list[dict[str, Any]]:
    """Every network in every framework."""
    rows = []
    for name in NETWORKS:
        model = network(name, steps)
        graph = to_nir(model)
        for framework, run in NIR_PEERS.items():
            rows.append(row(name, framework, lambda run=run, g=graph, m=model: (m(x)[0], run(g, x))))
        with torch.no_grad():
            accuracy = float((model(x)[0].mean(0).argmax(1) == y).float().mean())
        console.print(f"{name}: test accuracy {accuracy:.4f}", highlight=False)
    return rows


def trained_rows(path: Path, count: int) -> list[dict[str, Any]]:
    """A trained network for pictures on test sequences of its own data: the spikes of its last layer of neurons."""
    model, _, notes = load_model(path)
    if not isinstance(model, snn.PictureClassifier):
        raise SystemExit(f"--model {path}: pass a network for pictures, such as one of recipes/nmnist/lif_nir.yaml")
    recipe = notes["recipe"]
    test = data.load(recipe["data"]["name"], **recipe["data"]["options"]).test
    x = test.x[:count].reshape(-1, test.x.shape[1], *model.element_shape).transpose(0, 1)
    last = max(k for k, layer in enumerate(model.body) if isinstance(layer, snn.LIF | snn.IF))
    body = snn.Sequential(*list(model.body)[: last + 1]).eval()
    graph = to_nir(body, None, model.element_shape, fold_thresholds=True)
    name = f"{recipe['name']}, trained"
    rows = []
    for framework, run in NIR_PEERS.items():

        def both(run: Any = run) -> tuple[Tensor, Tensor]:
            # one sequence at a time: snnTorch's Flatten takes the batch in as well
            return body(x)[0], torch.cat([run(graph, part).flatten(1)[:, None] for part in x.split(1, 1)], 1)

        rows.append(row(name, framework, both))
    return rows


def ours_of(case: Case, state: dict[str, Tensor]) -> snn.Sequential:
    """The network of a case, loaded by its state_dict."""
    if case.framework == "snnTorch":
        late = case.reset_delay and case not in LATE_CASES.values()
        return from_snntorch(state, list(case.layers), reset_delay=late)
    return from_spikingjelly(state, list(case.layers))


def fixtures(path: Path, steps: int) -> None:
    """Write state_dicts, inputs and spikes of every case: what tests/exchange/test_peers.py compares with."""
    arrays: dict[str, Any] = {}
    for name, case in STATE_CASES.items():
        torch.manual_seed(2)
        x = 1.2 * torch.randn(steps, 2, 6) + 0.4
        state, spikes = run_case(case, x, (6, 10, 4))
        arrays |= {f"{name}|{key}": value.numpy() for key, value in state.items()}
        arrays |= {f"{name}|x": x.numpy(), f"{name}|spikes": spikes.numpy().astype(np.uint8)}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, names=np.array(json.dumps(list(STATE_CASES))), **arrays)
    console.print(f"fixtures: {path}, {path.stat().st_size:,} bytes", highlight=False)


def graphs(folder: Path) -> None:
    """Write a NIR file of each framework's own making, and its spikes: what tests/exchange/test_nir.py reads."""
    arrays: dict[str, Any] = {}
    for framework in WRITERS:
        x, spikes = written_by(framework, folder / f"{framework.lower()}.nir")
        arrays |= {f"{framework}|x": x.numpy(), f"{framework}|spikes": spikes.numpy().astype(np.uint8)}
    np.savez_compressed(folder / "graphs.npz", **arrays)
    console.print(f"graphs: {folder}/*.nir, graphs.npz", highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_parser("exchange", __doc__, rounds=1)
    parser.add_argument(
        "--fixtures", type=Path, help="write small arrays for the tests to this .npz file, NIR graphs beside it"
    )
    parser.add_argument("--model", type=Path, help="nothing but a trained network for pictures (lif_nir), run by all")
    options = parser.parse_args(arguments)
    began = start(options)
    if options.model:
        trained = trained_rows(options.model, 8 if options.quick else 100)
        show(trained, COLUMNS, "NIR: a trained network of ours, imported")
        finish("exchange", options, began, {"rows": trained}, "trained")
        return 0
    test = data.load("digits", order="rows").test
    count = 8 if options.quick else len(test.x)
    x, y = sequences(test.x[:count]), test.y[:count]
    found = nir_rows(x, y, 1 if options.quick else 120)
    show(found, COLUMNS, "NIR: ours, imported")
    torch.manual_seed(3)
    states = []
    for name, case in {**STATE_CASES, **LATE_CASES}.items():

        def both(case: Case = case) -> tuple[Tensor, Tensor]:
            state, theirs = run_case(case, x, (8, HIDDEN, 10))
            return ours_of(case, state)(x)[0], theirs

        states.append(row(name, case.framework, both))
    show(states, COLUMNS, "state_dict: theirs, loaded")
    onnx = onnx_rows(1, 8, 1) if options.quick else onnx_rows(150)
    show(onnx, ONNX_COLUMNS, "ONNX: ours, whole sequences")
    if options.fixtures:
        fixtures(options.fixtures, 30)
        graphs(options.fixtures.parent)
    finish("exchange", options, began, {"rows": found + states + onnx})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
