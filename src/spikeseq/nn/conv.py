r"""Spiking convolutions: a convolution of all elements at once, then neurons along the sequence.

SpikingConv2d    per element: ``current[n] = K * x[n]`` over its own height and width
SpikingConv1d    along the sequence: ``current[n] = sum_j K_j x[n + j - offset]``, k taps; outside the sequence x is 0. Causal:
                 n and the k - 1 elements before it, which the state hands to the next chunk; else k // 2 on either side
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.errors import ConfigError, ShapeError
from spikeseq.nn.lif import IF, LIF
from spikeseq.nn.sequence import check_state, over_elements, run_time_first, without_padding
from spikeseq.ops.neuron import LIFState
from spikeseq.shapes import check_dtype, check_size


def _neuron(given: LIF | IF | None, channels: int) -> LIF | IF:
    """The neurons behind a convolution. Raises ConfigError where they do not fit."""
    if given is None:
        return LIF(channels)
    if given.batch_first:
        raise ConfigError("neuron has batch_first=True: give it to the convolution instead")
    if given.channels not in (None, channels):
        raise ConfigError(
            f"neuron has {given.channels} channels, the convolution gives {channels}; pass the same or None"
        )
    return given


class SpikingConv2d(nn.Module):
    """``nn.Conv2d`` on every element, then LIF or IF neurons along the sequence.

    neuron       LIF or IF of ``out_channels`` (or None) channels; None: LIF(out_channels)
    batch_first  whether x is ``[B, L, C, H, W]``
    Other arguments as of ``nn.Conv2d``; parameters ``conv.*`` and ``neuron.*``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1, padding: int | tuple[int, int] | str = 0, dilation: int | tuple[int, int] = 1,
        groups: int = 1, bias: bool = True, *, neuron: LIF | IF | None = None, batch_first: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.batch_first = batch_first
        check_size("in_channels", in_channels)
        check_size("out_channels", out_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        self.neuron = _neuron(neuron, out_channels)

    def forward(
        self, x: Tensor, state: Any = None, lengths: Tensor | list[int] | None = None
    ) -> tuple[Tensor, LIFState]:
        """``[L, B, C, H, W]`` -> spikes ``[L, B, C', H', W']`` and the neurons' state; arguments as of LIF."""
        return run_time_first(self._run, x, state, lengths, self.batch_first)

    def _run(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, LIFState]:
        if x.dim() != 5 or x.shape[2] != self.conv.in_channels:
            raise ShapeError(
                f"x has elements {tuple(x.shape[2:])}: pass [L, B, C, H, W] with C = in_channels={self.conv.in_channels}"
            )
        check_dtype(x, self.conv.weight)
        spikes, end = self.neuron(over_elements(self.conv, x, lengths), state, lengths)
        return spikes, end


class SpikingConv1dState(NamedTuple):
    """State of a SpikingConv1d."""

    v: Tensor  # [B, C'] membrane potential of the neurons
    window: Tensor  # [B, k - 1, C] the elements before the next one, oldest first; causal only, else [B, 0, C]


class SpikingConv1d(nn.Module):
    """A convolution along the sequence, then LIF or IF neurons along the same sequence.

    causal       see only elements that have come: chunks run one after the other equal one run
    neuron       LIF or IF of ``out_channels`` (or None) channels; None: LIF(out_channels)
    batch_first  whether x is ``[B, L, C]``
    Parameters ``conv.weight [C', C k]`` (that of ``nn.Conv1d``, flattened), ``conv.bias [C']`` and ``neuron.*``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, bias: bool = True, *, causal: bool = False,
        neuron: LIF | IF | None = None, batch_first: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if not causal and check_size("kernel_size", kernel_size) % 2 == 0:
            raise ConfigError(
                f"kernel_size={kernel_size}: an even kernel has no middle; pass an odd one or causal=True"
            )
        self.kernel_size, self.causal, self.batch_first = check_size("kernel_size", kernel_size), causal, batch_first
        # one product for the windows of all elements: faster than conv1d here, and padding is left out of it
        self.in_channels = check_size("in_channels", in_channels)
        self.conv = nn.Linear(in_channels * kernel_size, check_size("out_channels", out_channels), bias)
        self.neuron = _neuron(neuron, out_channels)

    def forward(
        self, x: Tensor | PackedSequence, state: Any = None, lengths: Tensor | list[int] | None = None
    ) -> tuple[Any, SpikingConv1dState]:
        """``[L, B, C]`` -> spikes ``[L, B, C']`` and the state; arguments as of LIF.

        Raises ConfigError for a state where the convolution is not causal: a chunk does not see its neighbours.
        """
        if state is not None and not self.causal:
            raise ConfigError("state is given, but causal=False: a chunk would need the next one; pass causal=True")
        return run_time_first(self._run, x, state, lengths, self.batch_first)

    def _run(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, SpikingConv1dState]:
        if x.dim() != 3 or x.shape[2] != self.in_channels:
            raise ShapeError(
                f"x has elements {tuple(x.shape[2:])}: pass [L, B, C] with C = in_channels={self.in_channels}"
            )
        check_dtype(x, self.conv.weight)
        past = None if state is None else state.window
        windows, window = windows_of(without_padding(x, lengths), past, self.kernel_size, self.causal, lengths)
        spikes, end = self.neuron(
            over_elements(self.conv, windows, lengths), None if state is None else LIFState(state.v), lengths
        )
        return spikes, SpikingConv1dState(end.v, window)

    def extra_repr(self) -> str:
        """Kernel size, and options that are not the default."""
        return f"kernel_size={self.kernel_size}{', causal=True' if self.causal else ''}"


def windows_of(
    x: Tensor, past: Tensor | None, kernel_size: int, causal: bool, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """What each element of ``x [L, B, C]`` (0 at padding) sees, ``[L, B, C k]``, and what the next chunk needs of it.

    past   the k - 1 elements before the first, ``[B, k - 1, C]``, oldest first, or None (zeros); causal only
    Returns as well the last k - 1 elements of each row; ``[B, 0, C]`` where it is not causal.
    """
    size, side = kernel_size - 1, kernel_size // 2
    before, behind = (size, 0) if causal else (side, side)
    shape = (x.shape[1], before, x.shape[2])
    own = x.new_zeros(shape) if past is None else check_state("state.window", past, shape)
    seen = torch.cat([own.transpose(0, 1), x, x.new_zeros(behind, *x.shape[1:])])
    return seen.unfold(0, kernel_size, 1).flatten(2), _tail(seen, size if causal else 0, lengths)


def _tail(seen: Tensor, size: int, lengths: Tensor | None) -> Tensor:
    """The last ``size`` elements of each row of ``seen [size + L, B, C]``, of which ``size + lengths`` are there."""
    if lengths is None:
        return seen[seen.shape[0] - size :].transpose(0, 1).clone()
    index = lengths + torch.arange(size)[:, None]  # row b: lengths[b] .. lengths[b] + size - 1
    return seen[index.to(seen.device), torch.arange(len(lengths), device=seen.device)].transpose(0, 1)
