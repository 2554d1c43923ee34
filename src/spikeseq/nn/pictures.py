r"""Classification of sequences of pictures, such as frames of an event camera, with the membrane as the only memory.

Pictures ``[C, H, W]``, convolutions 3 x 3 with padding 1, each followed by neurons and, where ``pooled`` says so, a pooling
of 2 x 2 blocks (of spikes: max, whether any fired; sum, how many; mean, a quarter of that); width D of the dense part, dropout
masks drawn once for each sequence::

    lif, if, relu   [conv - neurons - pool] x channels - flatten - drop - Linear(D) - neurons - drop - Linear(classes)
                    - integrator over the true length
    rnn, gru, lstm  [conv - ReLU - pool] x channels - flatten - drop - Linear(D) - ReLU - recurrent layer (D, D)
                    - its last element - drop - Linear(classes)

Source: after Rathi & Roy, LITE-SNN (2024), whose convolutional network for gestures was not published in detail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from spikeseq.errors import ConfigError, ShapeError, nearest
from spikeseq.nn.conv import SpikingConv2d
from spikeseq.nn.dropout import SequenceDropout
from spikeseq.nn.memory import NEURONS, check_cell, gated, integrating, neurons
from spikeseq.nn.sequential import Sequential
from spikeseq.shapes import check_size

POOLINGS: dict[str, Callable[[], nn.Module]] = {
    "max": lambda: nn.MaxPool2d(2),
    "mean": lambda: nn.AvgPool2d(2),
    "sum": lambda: nn.AvgPool2d(2, divisor_override=1),
}


class PictureClassifier(nn.Module):
    """``x [B, L, C, H, W]``, or flattened ``[B, L, C H W]`` -> logits ``[B, classes]``.

    element_shape   C, H, W
    cell            one of CELLS (nn/memory.py)
    channels        of each convolution
    hidden_size     D
    per_channel     a threshold and a leak for each channel, not for each layer
    options         further arguments of the neurons or the recurrent layer: leak, dyadic_leak, time_steps, ..
    pooling         one of POOLINGS; NIR has mean and sum alone
    pooled          behind which convolutions, counted from 1, blocks are pooled; None: behind each
    """

    def __init__(
        self,
        element_shape: Sequence[int],
        classes: int,
        cell: str = "lif",
        channels: Sequence[int] = (16, 32),
        hidden_size: int = 128,
        per_channel: bool = True,
        dropout: float = 0.2,
        options: dict[str, Any] | None = None,
        pooling: str = "max",
        pooled: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        every = range(1, len(channels) + 1)
        if pooled is not None and (
            not isinstance(pooled, list | tuple) or any(p not in every for p in pooled) or len({*pooled}) != len(pooled)
        ):
            raise ConfigError(
                f"pooled={pooled!r}: pass a list of numbers from 1 to {len(channels)}, each once, or None"
            )
        self.pooled = tuple(every if pooled is None else pooled)
        self.element_shape = _shape(element_shape, len(self.pooled))
        own = options or {}
        self.cell = check_cell(cell, own)
        if pooling not in tuple(POOLINGS):
            raise ConfigError(f"pooling={pooling!r}: {nearest(str(pooling), POOLINGS)}")
        self.pooling = pooling
        self._sizes: dict[str, Any] = {
            "channels": tuple(channels), "hidden_size": hidden_size, "per_channel": per_channel, "dropout": dropout,
            "pooling": pooling, "pooled": self.pooled,
        }  # fmt: skip
        self.classes = classes
        layers: list[nn.Module] = []
        inputs, height, width = self.element_shape
        for number, outputs in enumerate(channels, 1):
            layers += _conv(cell, inputs, check_size("channels", outputs), per_channel, own)
            inputs = outputs
            if number in self.pooled:
                layers.append(POOLINGS[pooling]())
                height, width = height // 2, width // 2
        layers += [nn.Flatten(), SequenceDropout(dropout)]
        flat = inputs * height * width
        if cell in NEURONS:
            layers += integrating(cell, [flat, hidden_size], classes, per_channel, dropout, own)
        else:
            layers += [nn.Linear(flat, hidden_size), nn.ReLU()]
            layers += [*gated(cell, hidden_size, hidden_size, dropout, own), nn.Linear(hidden_size, classes)]
        self.body = Sequential(*layers, batch_first=True)

    def twin(self, cell: str) -> PictureClassifier:
        """A network of the same sizes with another memory, fresh weights and no options."""
        return PictureClassifier(self.element_shape, self.classes, cell, **self._sizes)

    @property
    def once(self) -> tuple[str, ...]:
        """Names of the modules that run once for a sequence, not for each picture."""
        return (f"body.{len(self.body) - 1}",)

    def forward(self, x: Tensor, lengths: Tensor | list[int] | None = None) -> Tensor:
        """Logits at each row's true end; padding changes nothing."""
        return self.chunk(x, None, lengths)[0]

    def chunk(self, x: Tensor, state: Any = None, lengths: Tensor | list[int] | None = None) -> tuple[Tensor, Any]:
        """The logits after some more pictures, and the state to go on from."""
        shape, flat = tuple(x.shape[2:]), (math.prod(self.element_shape),)
        if shape not in (self.element_shape, flat):
            raise ShapeError(f"x has elements {list(shape)}: pass [B, L, *{list(self.element_shape)}], or flattened")
        logits: Tensor
        logits, state = self.body(x.reshape(*x.shape[:2], *self.element_shape), state, lengths)
        return logits, state


def _conv(cell: str, inputs: int, outputs: int, per_channel: bool, options: dict[str, Any]) -> list[nn.Module]:
    """A convolution and what stands behind it."""
    if cell in ("lif", "if"):
        own: Any = neurons(cell, outputs if per_channel else None, options)
        return [SpikingConv2d(inputs, outputs, 3, padding=1, neuron=own)]
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]


def _shape(element_shape: Sequence[int], halvings: int) -> tuple[int, int, int]:
    """Three sizes that can be halved so often."""
    sizes = tuple(element_shape)
    if len(sizes) != 3 or not all(check_size("element_shape", size) for size in sizes):
        raise ConfigError(f"element_shape={element_shape!r}: pass channels, height and width")
    if min(sizes[1:]) >> halvings == 0:
        raise ConfigError(
            f"element_shape={element_shape!r} cannot be halved {halvings} times; pool behind fewer layers"
        )
    return sizes[0], sizes[1], sizes[2]
