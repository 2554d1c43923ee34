"""Checks at the border: shapes, lengths and time steps, with errors that name the argument, its value and the remedy.

And which rows stand for all of a split: :func:`spaced`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spikeseq.errors import ConfigError, ShapeError

TIME_STEPS = (1, 2, 4, 8, 16)


def check_time_steps(time_steps: int, name: str = "time_steps") -> int:
    """Return ``time_steps`` if it is a power of two up to 16, so that every division by it is a shift."""
    if isinstance(time_steps, bool) or time_steps not in TIME_STEPS:
        raise ConfigError(f"{name}={time_steps!r}: T must be a power of two up to 16; pass one of {TIME_STEPS}")
    return int(time_steps)


def check_size(name: str, value: object) -> int:
    """Return ``value`` if it is a whole number, 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name}={value!r}: pass a whole number, 1 or more")
    return value


def check_number(name: str, value: object) -> float:
    """Return ``value`` if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise ConfigError(f"{name}={value!r}: pass a finite number")
    return value


def check_flag(name: str, value: object) -> bool:
    """Return ``value`` if it is True or False."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name}={value!r} is not valid; use True or False")
    return value


def check_max_packet(max_packet: int | None) -> int | None:
    """Return ``max_packet`` if it is None (no limit) or at least 1 spike."""
    if max_packet is not None and (isinstance(max_packet, bool) or not isinstance(max_packet, int) or max_packet < 1):
        raise ConfigError(f"max_packet={max_packet!r}: pass None (no limit) or a whole number of spikes, 1 or more")
    return max_packet


def check_sequence(x: Tensor, input_size: int, batch_first: bool) -> None:
    """Raise ShapeError unless ``x`` is a non-empty float sequence of ``input_size`` features."""
    layout = "[B, L, I]" if batch_first else "[L, B, I]"
    if not isinstance(x, Tensor) or not torch.is_floating_point(x):
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ShapeError(f"x is {kind}: pass a float tensor {layout} (x.float())")
    if x.dim() not in (2, 3):
        raise ShapeError(f"x has shape {tuple(x.shape)}: pass {layout}, or [L, I] for one sequence")
    if x.shape[-1] != input_size:
        raise ShapeError(
            f"x has {x.shape[-1]} features (shape {tuple(x.shape)}), the layer takes input_size={input_size}"
        )
    if x.shape[1 if batch_first and x.dim() == 3 else 0] == 0:
        raise ShapeError(f"x has shape {tuple(x.shape)}: a sequence needs at least one element")


def check_batch(x: Tensor, input_size: int, batch_first: bool) -> None:
    """As :func:`check_sequence`, of a batch: three axes."""
    check_sequence(x, input_size, batch_first)
    if x.dim() != 3:
        layout = "[B, L, I]" if batch_first else "[L, B, I]"
        one = 0 if batch_first else 1
        raise ShapeError(f"x has shape {tuple(x.shape)}: pass {layout}; x.unsqueeze({one}) for one sequence")


def check_dtype(x: Tensor, weight: Any) -> None:
    """Raise ShapeError unless the input has the number format of the weights, or autocast looks after it."""
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise ShapeError(
            f"x is {x.dtype}, the weights are {weight.dtype}: pass x.to({weight.dtype}), or convert the layer"
        )


def check_elements(x: Tensor, batch_first: bool) -> None:
    """Raise ShapeError unless ``x`` is a non-empty float sequence of elements of any shape, ``[L, B, C, ..]`` or ``[L, C]``."""
    layout = "[B, L, C, ..]" if batch_first else "[L, B, C, ..]"
    if not isinstance(x, Tensor) or not torch.is_floating_point(x):
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ShapeError(f"x is {kind}: pass a float tensor {layout} (x.float())")
    if x.dim() < 2:
        raise ShapeError(f"x has shape {tuple(x.shape)}: pass {layout}, or [L, C] for one sequence")
    if x.shape[1 if batch_first and x.dim() > 2 else 0] == 0:
        raise ShapeError(f"x has shape {tuple(x.shape)}: a sequence needs at least one element")


def check_lengths(lengths: Tensor | list[int], batch: int, seq_len: int) -> Tensor:
    """Return ``lengths`` as int64 ``[B]`` on the CPU; each must be in 1 .. seq_len."""
    try:
        out = torch.as_tensor(lengths).cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ShapeError(f"lengths={lengths!r}: pass {batch} whole numbers, one a row") from error
    if out.shape != (batch,) or out.dtype == torch.bool or out.is_floating_point() or out.is_complex():
        raise ShapeError(
            f"lengths has shape {tuple(out.shape)} and dtype {out.dtype}: pass {batch} whole numbers, one a row"
        )
    if batch and (int(out.min()) < 1 or int(out.max()) > seq_len):
        wrong = int(out.max()) if int(out.max()) > seq_len else int(out.min())
        ended = "; a row that has ended leaves the batch and the state" if wrong == 0 else ""
        raise ShapeError(
            f"lengths holds {wrong}: the batch has {seq_len} elements; pass lengths from 1 to {seq_len}{ended}"
        )
    return out.long()


def spaced(n: int, most: int) -> Tensor:
    """Indices of at most so many of n rows, evenly spaced, first and last among them (one: the first)."""
    kept = min(most, n)
    return torch.arange(kept) * (n - 1) // max(1, kept - 1)
