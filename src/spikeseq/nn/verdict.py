"""How a classifier of texts or pictures comes to its verdict: what it says after every element, and what its neurons send."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from spikeseq.nn.neurons import Neurons
from spikeseq.nn.observe import Seen, observing
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.nn.text import TextClassifier


class Verdict(NamedTuple):
    """Of one sequence of L elements."""

    probability: Tensor  # [L, classes] after each element; the last is the verdict's
    spikes: dict[
        str, Tensor
    ]  # name of a layer of neurons -> what it sent, 0 or 1, [L, units]; empty for gated networks

    @property
    def label(self) -> int:
        """Number of the class."""
        return int(self.probability[-1].argmax())


@torch.no_grad()
def verdict_of(model: TextClassifier, tokens: Tensor) -> Verdict:
    """Read one text ``tokens [L]``, without dropout. Raises ShapeError for what are no tokens of the vocabulary."""
    with observing() as seen:
        logits = model.running(tokens[None])
    return Verdict(logits[0].softmax(-1), _spikes(model, seen))


@torch.no_grad()
def verdict_of_pictures(model: PictureClassifier, pictures: Tensor) -> Verdict:
    """See pictures ``[L, C, H, W]``, or flattened, one by one; the model in evaluation mode. Raises ShapeError as it does."""
    state, logits = None, []
    with observing() as seen:
        for picture in pictures:
            found, state = model.chunk(picture[None, None], state)
            logits.append(found[0])
    return Verdict(torch.stack(logits).softmax(-1), _spikes(model, seen))


def _spikes(model: nn.Module, seen: list[Seen]) -> dict[str, Tensor]:
    """What each layer of neurons sent in the only row, all passes one after the other."""
    names = {module: name for name, module in model.named_modules() if isinstance(module, Neurons)}
    found: dict[str, list[Tensor]] = {}
    for one in seen:
        if one.module in names:
            found.setdefault(names[one.module], []).append(one.output[:, 0])
    return {name: torch.cat(parts) for name, parts in found.items()}
