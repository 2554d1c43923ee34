"""Accuracy of trained networks for pictures against the number of frames that they have seen, on their test data.

python benchmarks/frames.py runs/nmnist/{lif,cnn_lstm}/seed*/model.pt --record results --plot docs/nmnist_frames.png

Each network runs along its frames once; after every frame it says what it would say if that were the last one.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikeseq import data as data_sets
from spikeseq.data import Split
from spikeseq.errors import ConfigError
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.report.figure import save_png
from spikeseq.report.plots import lines
from spikeseq.report.record import new_record, write_record


@torch.no_grad()
def accuracy_after(model: PictureClassifier, split: Split) -> list[float]:
    """Share of rows classified correctly after 1, 2, .. L frames."""
    state, found = None, []
    for n in range(split.x.shape[1]):
        logits, state = model.chunk(split.x[:, n : n + 1], state)
        found.append(float((logits.argmax(-1) == split.y).double().mean()))
    return found


def measure(checkpoint: str) -> tuple[dict[str, Any], list[float]]:
    """The recipe of a model file, and its accuracies. Raises ConfigError for another kind of network."""
    model, _, notes = load_model(checkpoint)
    if not isinstance(model, PictureClassifier):
        raise ConfigError(f"{checkpoint!r} holds {type(model).__name__}; pass networks for pictures")
    own = notes["recipe"]["data"]
    return notes["recipe"], accuracy_after(model, data_sets.load(own["name"], **own["options"]).test)


def main() -> None:
    """Measure, print, and write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", help="model files")
    parser.add_argument("--record", type=Path, help="folder for records, as <name>_frames/seed<seed>.json")
    parser.add_argument("--plot", type=Path, help="PNG file: a line for each recipe, the mean over its seeds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    by_name: dict[str, list[list[float]]] = defaultdict(list)
    for checkpoint in options.checkpoints:
        started = time.time()
        recipe, found = measure(checkpoint)
        by_name[recipe["name"]].append(found)
        print(recipe["name"], recipe["seed"], *(f"{value:.3f}" for value in found))
        if options.record:
            name = f"{recipe['name']}_frames"
            metrics = {"accuracy_after": found}
            made = new_record(
                "evaluate",
                name,
                config=recipe,
                seed=recipe["seed"],
                metrics=metrics,
                seconds=time.time() - started,
                threads=1,
            )
            write_record(made, options.record / f"{name}/seed{recipe['seed']}.json")
    if options.plot:
        means = {name: [100 * v for v in np.mean(runs, 0)] for name, runs in by_name.items()}
        frames = list(range(1, 1 + max(map(len, means.values()))))
        save_png(lines(frames, means, "frames seen", "test accuracy [%]"), options.plot)


if __name__ == "__main__":
    main()
