"""The conventions of layers whose elements have any shape: layout, one sequence alone, packing, padding.

A layer that keeps them runs time first, ``run(x [L, B, C, ..], state, lengths) -> (output [L, B, ..], state)``, and has a
state whose fields have the batch first, ``[B, ..]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.errors import ShapeError
from spikeseq.nn.packing import pack_like, unpack
from spikeseq.nn.states import state_tensors
from spikeseq.shapes import check_elements, check_lengths

Run = Callable[[Tensor, Any, Tensor | None], tuple[Tensor, Any]]


def run_time_first(
    run: Run, x: Tensor | PackedSequence, state: Any, lengths: Any, batch_first: bool, collapses: bool = False
) -> tuple[Any, Any]:
    """Call a time-first ``run`` with ``x`` as the user laid it out; return its output in the same layout, and the state.

    x          ``[L, B, C, ..]``, ``[B, L, C, ..]`` with ``batch_first``, ``[L, C]`` for one sequence, or a PackedSequence
    lengths    ``[B]`` true lengths or None
    collapses  whether the output is ``[B, ..]``, without an axis for the elements
    Raises ShapeError when a shape does not fit.
    """
    if isinstance(x, PackedSequence):
        if lengths is not None:
            raise ShapeError("lengths is given with a PackedSequence, which has its own; leave it out")
        padded, lengths = unpack(x)
        output, state = run(padded, state, lengths)
        return output if collapses else pack_like(output, x), state
    check_elements(x, batch_first)
    if x.dim() == 2:
        state = None if state is None else type(state)(*(s.unsqueeze(0) for s in state))
        output, state = run(x.unsqueeze(1), state, _lengths(lengths, 1, x.shape[0]))
        return output.squeeze(0 if collapses else 1), type(state)(*(s.squeeze(0) for s in state))
    steps = x.transpose(0, 1) if batch_first else x
    output, state = run(steps, state, _lengths(lengths, steps.shape[1], steps.shape[0]))
    return output.transpose(0, 1) if batch_first and not collapses else output, state


def _lengths(lengths: Any, batch: int, seq_len: int) -> Tensor | None:
    """Checked lengths; None where nothing is padding, which spares every layer its mask."""
    checked = None if lengths is None else check_lengths(lengths, batch, seq_len)
    return None if checked is None or bool((checked == seq_len).all()) else checked


def as_state(state_type: Any, state: Any, x: Tensor | PackedSequence) -> Any:
    """A state as its NamedTuple, also from a tensor or a plain tuple; None stays None. Raises ShapeError for anything else."""
    if state is None:
        return None
    fields, names = state_tensors(state), state_type._fields
    if len(fields) != len(names):
        raise ShapeError(f"state has {len(fields)} tensors: pass the {len(names)} of {state_type.__name__}")
    given = x.data.dtype
    wrong = next((f"{n} is {f.dtype}" for n, f in zip(names, fields, strict=True) if f.dtype != given), None)
    if wrong and not torch.is_autocast_enabled(x.data.device.type):
        raise ShapeError(f"state.{wrong}, x is {given}: pass both in one number format")
    return state_type(*fields)


def check_state(name: str, value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a field of a state if it has the shape that the input asks for."""
    if not isinstance(value, Tensor):
        raise ShapeError(f"{name}={value!r}: pass a tensor of shape {shape}, or None for zeros")
    if tuple(value.shape) != shape:
        raise ShapeError(f"{name} has shape {tuple(value.shape)}: pass {shape}, or None for zeros")
    return value


def valid_mask(lengths: Tensor, x: Tensor) -> Tensor:
    """Mask ``[L, B]`` of ``x [L, ..]``, on its device; False at padding."""
    return (torch.arange(x.shape[0])[:, None] < lengths).to(x.device)


def without_padding(x: Tensor, lengths: Tensor | None) -> Tensor:
    """``x [L, B, ..]`` with zeros behind each row's length, whatever stood there (NaN too)."""
    if lengths is None:
        return x
    mask = valid_mask(lengths, x)
    return torch.where(mask.view(*mask.shape, *(1,) * (x.dim() - 2)), x, torch.zeros_like(x))


def over_elements(module: nn.Module, x: Tensor, lengths: Tensor | None) -> Tensor:
    """Run a module without memory on all elements at once, ``[L, B, ..] -> [L, B, ..]``; padding is left out, 0 comes out."""
    if lengths is None:
        output: Tensor = module(x.flatten(0, 1))
        return output.unflatten(0, x.shape[:2])
    mask = valid_mask(lengths, x)
    output = module(x[mask])
    padded = output.new_zeros(*x.shape[:2], *output.shape[1:])
    return padded.masked_scatter(mask.view(*mask.shape, *(1,) * (padded.dim() - 2)), output)
