"""Pictures of trained networks at work, for docs/: a review as it is read, event frames as they come.

python benchmarks/figures.py --text runs/imdb/lif/seed0/model.pt --pictures runs/nmnist/lif/seed0/model.pt --out docs
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spikeseq import data as data_sets
from spikeseq.cli.predict import predict
from spikeseq.errors import ConfigError
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.nn.verdict import verdict_of_pictures
from spikeseq.report.figure import save_png
from spikeseq.report.pictures import frames_and_spikes

# not of the data set, whose licence is not known
REVIEW = (
    "i did not expect much of this film . the first half is slow , badly lit and far too long , and i nearly walked out . "
    "then the story turns , and the last scene is one of the most beautiful i have seen in years"
)


def draw_pictures(checkpoint: str, row: int, path: Path) -> None:
    """One test recording: its frames, what each layer sends, the verdict after each frame."""
    model, _, notes = load_model(checkpoint)
    if not isinstance(model, PictureClassifier):
        raise ConfigError(f"--pictures {checkpoint!r} holds {type(model).__name__}; pass a network for pictures")
    own = notes["recipe"]["data"]
    data = data_sets.load(own["name"], **own["options"])
    x, y = data.test.x[row], int(data.test.y[row])
    found = verdict_of_pictures(model, x)
    verdicts = [data.classes[k] for k in found.probability.argmax(-1).tolist()]
    frames = x.view(-1, *data.element_shape).numpy()
    spikes = layers_of(found.spikes, notes["recipe"]["model"]["pictures"]["channels"])
    title = f"{data.name}, test recording {row}: a {data.classes[y]}; above each frame what the network says so far"
    save_png(frames_and_spikes(frames, spikes, verdicts, title), path)


def layers_of(spikes: Mapping[str, Tensor], channels: Sequence[int]) -> dict[str, np.ndarray]:
    """Spikes of each layer by a name for people; those of convolutions as square pictures ``[L, C, H, W]``."""
    named = {}
    for number, sent in enumerate(spikes.values()):
        if number < len(channels):
            side = math.isqrt(sent.shape[1] // channels[number])
            named[f"convolution {number + 1}"] = sent.view(len(sent), channels[number], side, side).numpy()
        else:
            named[f"layer {number + 1}"] = sent.numpy()
    return named


def main() -> None:
    """Draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", help="model file of a network for texts")
    parser.add_argument("--pictures", help="model file of a network for pictures")
    parser.add_argument("--row", type=int, default=0, help="which test recording")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder for the pictures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.text:
        predict(options.text, REVIEW, plot=str(options.out / "review.png"))
    if options.pictures:
        draw_pictures(options.pictures, options.row, options.out / "event_frames.png")


if __name__ == "__main__":
    main()
