"""How a text classifier comes to its verdict: what it would say after every token, and what its neurons send meanwhile."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from spikeseq.nn.neurons import Neurons
from spikeseq.nn.observe import observing
from spikeseq.nn.text import TextClassifier


class Verdict(NamedTuple):
    """Of one text of L tokens."""

    probability: Tensor  # [L, classes] after each token; the last is the verdict's
    spikes: dict[str, Tensor]  # name of a layer of neurons -> what it sent, 0 or 1, [L, H]; empty for gated networks

    @property
    def label(self) -> int:
        """Number of the class."""
        return int(self.probability[-1].argmax())


@torch.no_grad()
def verdict_of(model: TextClassifier, tokens: Tensor) -> Verdict:
    """Read one text ``tokens [L]``, without dropout. Raises ShapeError for what are no tokens of the vocabulary."""
    names = {module: name for name, module in model.named_modules() if isinstance(module, Neurons)}
    with observing() as seen:
        logits = model.running(tokens[None])
    spikes = {names[s.module]: s.output[:, 0] for s in seen if s.module in names}
    return Verdict(logits[0].softmax(-1), spikes)
