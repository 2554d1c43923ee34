r"""The engine: runs any cell along a sequence, one forward and one backward loop for all of them.

For a pure ``step(preactivation, state, params) -> (output, state)`` and elements n = 1 .. L::

    a[n] = drive[n] + U s[n-1]            s = first field of the state; U s goes to the last R columns of the drive
    output[n], state[n] = step(a[n], state[n-1], params)

The drive is given, or a :class:`Projection` ``W x + b`` that the engine computes itself, chunk by chunk, so that it is
never stored. Forward, the loop runs one matrix product and the fused step for each element and keeps a[n] and the
states. Backward, it runs the step's vector-Jacobian product (``torch.func.vjp``); weight gradients are one product for
each chunk of about CHUNK numbers (long enough for the product's full speed, short enough to stay in the cache).
The equation of a cell is written in ops/cells and nowhere else; ops/fuse.py compiles it where that pays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikeseq.errors import ConfigError
from spikeseq.ops.fuse import advance, choose, mode_now, output_like, retreat
from spikeseq.ops.matmul import product, weight_gradient
from spikeseq.ops.reference import MaskedStep, Step

CHUNK = 1 << 21  # numbers in the preactivations of a chunk
Runner = Callable[..., tuple[Tensor, Any]]  # takes what scan() takes, gives what it gives
_runner: ContextVar[Runner | None] = ContextVar("spikeseq_runner", default=None)


@contextmanager
def run_by(runner: Runner) -> Iterator[None]:
    """Inside the block, :func:`scan` leaves every scan to ``runner``: an exporter sees where a model has its loops."""
    token = _runner.set(runner)
    try:
        yield
    finally:
        _runner.reset(token)


class Projection(NamedTuple):
    """An input product that the engine computes: ``drive = x W^T + b``."""

    x: Tensor  # [L, *lead, I]; *lead may broadcast against the state's
    weight: Tensor  # [G, I]
    bias: Tensor | None  # [G]


def scan(
    step: Step | MaskedStep,
    drive: Tensor | Projection,
    recurrent_weight: Tensor | None,
    state: Any,
    params: Any = (),
    mask: Tensor | None = None,
) -> tuple[Tensor, Any]:
    """Run ``step`` along a sequence.

    drive             ``[L, *lead, G]``, the input product with bias; ``*lead`` (``B`` or ``T, B``) may broadcast
    recurrent_weight  U ``[R, H]`` with R <= G, or None for a cell without recurrent product
    state             NamedTuple of ``[*lead, H]``: the state before the first element
    params            NamedTuple of tensors ``[..., 1, H]`` (or ``[..., B, H]``, ``[..., 1, 1]``), or ``()``
    mask              ``[L, B, 1]`` bool, False where the element is padding: state kept, output 0
    Returns ``(output [L, *lead, H], state after the last element)``. Differentiable in drive (or x, W, b), U, state and
    params. Raises ConfigError for an empty sequence.
    """
    source, weight, bias = drive if isinstance(drive, Projection) else (drive, None, None)
    if source.shape[0] == 0:
        raise ConfigError("drive has length 0: a sequence needs at least one element")
    if (runner := _runner.get()) is not None:
        return runner(step, drive, recurrent_weight, state, params, mask)
    meta = (step, type(state), type(params), mask, len(state))
    output, *last = _Scan.apply(meta, source, weight, bias, recurrent_weight, *state, *params)
    if mask is not None:
        shape = mask.shape[:1] + (1,) * (output.dim() - 3) + mask.shape[1:]
        output = torch.where(mask.view(shape), output, torch.zeros_like(output))
    return output, type(state)(*last)


def _rows(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])


def _times(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x [..., K] -> x W^T + b [..., N]``."""
    return product(_rows(x), weight, bias).view(*x.shape[:-1], weight.shape[0])


def _gradient_of(weight: Tensor) -> Tensor:
    """Zeros ``[N, K]`` in the memory layout of :func:`weight_gradient`, so that adding to them is contiguous."""
    return weight.new_zeros(weight.shape[1], weight.shape[0]).t()


def _chunks(length: int, numbers: int) -> Iterator[tuple[int, int]]:
    size = max(1, CHUNK // max(1, numbers))
    return ((start, min(start + size, length)) for start in range(0, length, size))


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, meta: Any, source: Tensor, weight: Tensor | None, bias: Tensor | None, u: Tensor | None, *rest: Tensor
    ) -> Any:
        step, _, _, mask, n_state = meta
        state, params = rest[:n_state], rest[n_state:]
        length, lead = source.shape[0], state[0].shape[:-1]
        width = source.shape[-1] if weight is None else weight.shape[0]
        keep = any(ctx.needs_input_grad) and (u is not None or weight is not None)
        pre = source.new_empty(length, *lead, width) if keep else None
        paths = [s.new_empty(length + 1, *s.shape) for s in state]
        for path, s in zip(paths, state, strict=True):
            path[0] = s
        output = None if step.output_is_state else output_like(meta[:3], width, state, params, length)
        ctx.mode = mode_now()
        run = choose(advance(*meta[:3]), length * lead.numel() * width, ctx.mode)
        slots = list(zip(*(p.unbind(0) for p in paths), strict=True))
        for start, stop in _chunks(length, lead.numel() * width):
            drive = source[start:stop] if weight is None else _times(source[start:stop], weight, bias)
            for n in range(start, stop):
                run(
                    drive[n - start], None if u is None else _times(slots[n][0], u), None if mask is None else mask[n],
                    slots[n], params, None if pre is None else pre[n], slots[n + 1], None if output is None else output[n],
                )  # fmt: skip
        ctx.meta, ctx.n_input, ctx.width = meta, len(rest), width
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(source, weight, u, pre, *paths, *params)
        return (paths[0][1:] if output is None else output, *(p[-1].clone() for p in paths))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        *_, mask, n_state = ctx.meta
        source, weight, u, pre, *rest = ctx.saved_tensors
        paths, params = rest[:n_state], tuple(rest[n_state:])
        _, need_source, need_weight, need_bias, need_u, *_ = ctx.needs_input_grad
        wanted = tuple(ctx.needs_input_grad[5 + n_state :])
        lead = paths[0].shape[1:-1]
        numbers = lead.numel() * ctx.width
        run = choose(retreat(*ctx.meta[:3], wanted), source.shape[0] * numbers, ctx.mode)
        # a gradient of its own for each batch row, summed over rows once at the end: keeps the vjp element-wise
        expanded = tuple(p.expand(*p.shape[:-2], *paths[0].shape[-2:]) for p in params)
        kept = [p for p, want in zip(params, wanted, strict=True) if want]
        sums = tuple(torch.zeros_like(p.expand(*p.shape[:-2], *paths[0].shape[-2:]).contiguous()) for p in kept)
        g_output, g_state = grads[0], tuple(g.contiguous() for g in grads[1:])
        g_rec = None if u is None else g_state[0].new_zeros(g_state[0].shape)
        d_source = torch.empty_like(source) if need_source else None
        d_weight = _gradient_of(weight) if weight is not None and need_weight else None
        d_bias = source.new_zeros(ctx.width) if need_bias else None
        d_u = _gradient_of(u) if need_u else None
        back = None if u is None else u.t().contiguous()
        slots = list(zip(*(p.unbind(0) for p in paths), strict=True))
        chunks = list(_chunks(source.shape[0], numbers))
        # the gradient of a plain drive is that of the preactivations
        own = d_source if weight is None and source.shape[1:] == (*lead, ctx.width) else None
        buffer = source.new_empty(chunks[0][1], *lead, ctx.width) if own is None else own
        for start, stop in reversed(chunks):
            da = buffer[: stop - start] if own is None else own[start:stop]
            for n in range(stop - 1, start - 1, -1):
                a = source[n].expand(*lead, ctx.width) if pre is None else pre[n]
                valid = None if mask is None else mask[n]
                found = run(a, valid, slots[n], expanded, g_output[n], g_rec, g_state, sums, da[n - start])
                g_state, sums = tuple(found[:n_state]), tuple(found[n_state:])
                if u is not None and back is not None:
                    g_rec = _times(da[n - start][..., -u.shape[0] :], back)
            if d_u is not None:
                d_u += weight_gradient(_rows(da[..., -u.shape[0] :]), _rows(paths[0][start:stop]))
            d_drive = da.sum_to_size(*source[start:stop].shape[:-1], ctx.width)
            if d_weight is not None:
                d_weight += weight_gradient(_rows(d_drive), _rows(source[start:stop]))
            if d_bias is not None:
                d_bias += _rows(d_drive).sum(0)
            if d_source is not None and own is None:
                d_source[start:stop] = d_drive if weight is None else _times(d_drive, weight.t())
        g_state = g_state if g_rec is None else (g_state[0] + g_rec, *g_state[1:])
        d_params = iter([s.sum_to_size(p.shape) for s, p in zip(sums, kept, strict=True)])
        return None, d_source, d_weight, d_bias, d_u, *g_state, *(next(d_params) if want else None for want in wanted)
