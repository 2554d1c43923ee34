"""One element of a scan, forward and backward, as one fused function: compiled where that pays, else as it is.

Whether to compile is decided by the size of the sequence alone, never by what ran before, so that the same call gives
the same bits in every process. Compiled and eager agree spike for spike (tests/ops/test_fuse.py).

A step is traced once for each memory layout of its arguments (shapes, strides, dtype, device) and handed to inductor
directly: within one scan every element has the layout of the first, so that nothing is checked from one to the next. By way of
``torch.compile``, whose guards look at every argument of every call, a LIF layer took four times as long.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

import torch
from torch import Tensor

from spikeseq.errors import CompilerError, ConfigError
from spikeseq.ops.reference import MaskedStep, Step, apply, preactivation

log = logging.getLogger("spikeseq")

CompileMode = Literal["auto", "always", "never"]
COMPILE_FROM = 1 << 20  # numbers in all preactivations of a sequence; below, a run seldom wins back the compiling
_mode: ContextVar[CompileMode] = ContextVar("spikeseq_compile", default="auto")
_broken: list[str] = []  # why nothing can be compiled on this machine, said once
_refused: set[Any] = set()  # functions and layouts that cannot be, where others can


@contextmanager
def compiling(mode: CompileMode) -> Iterator[None]:
    """Choose how steps run inside the block: "always" compiled, "never", or "auto" (by size, the default)."""
    if mode not in ("auto", "always", "never"):
        raise ConfigError(f"mode={mode!r}: pass 'auto', 'always' or 'never'")
    token = _mode.set(mode)
    try:
        yield
    finally:
        _mode.reset(token)


def _element(
    step: Step | MaskedStep, state_type: Any, params_type: Any
) -> Callable[..., tuple[Tensor, tuple[Tensor, ...]]]:
    """One element on plain tuples, padding included."""
    build = params_type if params_type is tuple else lambda values: params_type(*values)

    def element(a: Tensor, mask: Tensor | None, state: Any, params: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        output, new = apply(step, a, mask, state_type(*state), build(params))
        return output, tuple(new)

    return element


@functools.lru_cache(maxsize=256)
def advance(step: Step | MaskedStep, state_type: Any, params_type: Any) -> Callable[..., None]:
    """Forward of one element, written into the memory given by ``a_out``, ``state_out`` and ``y_out``."""
    element = _element(step, state_type, params_type)

    def forward(
        drive: Any, rec: Any, mask: Any, state: Any, params: Any, a_out: Any, state_out: Any, y_out: Any
    ) -> None:
        a = preactivation(drive, rec)
        output, new = element(a, mask, state, params)
        if a_out is not None:
            a_out.copy_(a)
        for slot, value in zip(state_out, new, strict=True):
            slot.copy_(value)
        if y_out is not None:
            y_out.copy_(output)

    return forward


@functools.lru_cache(maxsize=256)
def retreat(step: Step | MaskedStep, state_type: Any, params_type: Any, wanted: tuple[bool, ...]) -> Callable[..., Any]:
    """Backward of one element: its vjp; writes ``da_out``; returns the gradients of the state, then the sums of those of the
    wanted params with this element's added.
    """
    element = _element(step, state_type, params_type)

    def backward(
        a: Any, mask: Any, state: Any, params: Any, g_out: Any, g_rec: Any, g_state: Any, sums: Any, da_out: Any
    ) -> tuple[Tensor, ...]:
        def run(a: Tensor, state: Any, chosen: Any) -> Any:
            picked = iter(chosen)
            merged = tuple(next(picked) if want else p for want, p in zip(wanted, params, strict=True))
            output, new = element(a, mask, state, merged)
            return new if step.output_is_state else (*new, output)

        chosen = tuple(p for want, p in zip(wanted, params, strict=True) if want)
        vjp = torch.func.vjp(run, a, state, chosen)[1]
        first = g_state[0] if g_rec is None else g_state[0] + g_rec
        if step.output_is_state:
            da, d_state, d_params = vjp((first + g_out, *g_state[1:]))
        else:
            da, d_state, d_params = vjp((first, *g_state[1:], g_out))
        da_out.copy_(da)
        return *(d.contiguous() for d in d_state), *(s + d for s, d in zip(sums, d_params, strict=True))

    return backward


def output_like(meta: Any, width: int, state: Any, params: Any, length: int) -> Tensor:
    """Memory for the outputs of a cell whose output is not in its state: run it once to learn their shape."""
    a = state[0].new_zeros(*state[0].shape[:-1], width)
    output, _ = _element(*meta)(a, None, state, params)
    return output.new_empty(length, *output.shape)


def _flat(args: tuple[Any, ...]) -> list[Tensor]:
    """The tensors of arguments that are tensors, tuples of tensors or None."""
    return [x for a in args if a is not None for x in (a if isinstance(a, tuple) else (a,))]


def _layout(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """What decides over the compiled code: the structure of the arguments, and each tensor's memory layout."""
    one = [(x.shape, x.stride(), x.dtype, x.device) for x in _flat(args)]
    return tuple(None if a is None else len(a) if isinstance(a, tuple) else -1 for a in args), tuple(one)


def _example(shape: torch.Size, stride: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor of that layout, in memory of its own: where two overlap, inductor copies."""
    reach = 1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True)) if shape.numel() else 0
    return torch.zeros(reach, dtype=dtype, device=device).as_strided(shape, stride)


@functools.lru_cache(maxsize=256)
def _compiled(function: Callable[..., Any], layout: tuple[Any, ...]) -> Callable[..., Any]:
    """Compile ``function`` for arguments of a layout; the result takes their tensors one by one."""
    import torch._inductor
    from torch.fx.experimental.proxy_tensor import make_fx

    structure, tensors = layout
    examples: list[Any] = [_example(*one) for one in tensors]

    def flat(*values: Tensor) -> Any:
        rest = iter(values)
        taken = (None if n is None else next(rest) if n < 0 else tuple(next(rest) for _ in range(n)) for n in structure)
        return function(*taken)

    with torch.no_grad():
        graph = make_fx(flat)(*examples)
        # gates and replicas are joined by writing each into its slice; inductor's default recomputes them for each branch
        made: Callable[..., Any] = torch._inductor.compile(graph, examples, {"max_pointwise_cat_inputs": 1})
    return made


def _try(function: Callable[..., Any], args: tuple[Any, ...], mode: CompileMode) -> Callable[..., Any] | None:
    """The compiled form for arguments like these; None, said once, where nothing can be compiled."""
    key = (function, _layout(args))
    if (_broken or key in _refused) and mode == "auto":
        return None
    try:
        return _compiled(*key)
    except Exception as error:  # no C++ compiler, or one that fails: inductor raises many kinds
        cause = " ".join(str(error).split())[:300]
        if mode == "always":
            raise CompilerError(
                f"compile mode 'always': a step cannot be compiled here ({cause}); pass 'auto'"
            ) from error
        if _can_compile():
            _refused.add(key)
            log.warning("a step cannot be compiled, it runs eagerly (slower): %s", cause)
        else:
            _broken.append(cause)
            log.warning("steps cannot be compiled here, they run eagerly (slower): %s", cause)
        return None


def _can_compile() -> bool:
    """Whether the simplest function can be compiled: a failure was the step's, not the machine's."""
    try:
        _compiled(torch.neg, _layout((torch.zeros(8),)))
    except Exception:
        return False
    return True


def mode_now() -> CompileMode:
    """How steps run here; a backward pass, which may run outside the block, is to run as its forward pass did."""
    return _mode.get()


def choose(function: Callable[..., Any], numbers: int, mode: CompileMode) -> Callable[..., Any]:
    """The compiled form of ``function`` where it pays and a compiler is there, else the function itself.

    What is returned serves one scan: all calls must have the layout of the first (the compiled code checks it).
    """
    if mode == "never" or (mode == "auto" and (numbers < COMPILE_FROM or _broken)):
        return function
    found: list[Callable[..., Any] | None] = []

    def run(*args: Any) -> Any:
        if not found:
            found.append(_try(function, args, mode))
        compiled = found[0]
        return function(*args) if compiled is None else compiled(*_flat(args))

    return run
