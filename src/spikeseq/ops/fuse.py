"""One element of a scan, forward and backward, as one fused function: compiled where that pays, else as it is.

Whether to compile is decided by the size of the sequence alone, never by what ran before, so that the same call gives
the same bits in every process (only a process that compiles a step for more shapes than dynamo keeps runs the further
ones eagerly). Compiled and eager agree spike for spike (tests/ops/test_fuse.py).
"""

from __future__ import annotations

import functools
import logging
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

import torch
from torch import Tensor
from torch._dynamo.exc import BackendCompilerFailed, FailOnRecompileLimitHit

from spikeseq.errors import ConfigError
from spikeseq.ops.reference import Step, preactivation, where_valid

log = logging.getLogger("spikeseq")

CompileMode = Literal["auto", "always", "never"]
COMPILE_FROM = 1 << 20  # numbers in all preactivations of a sequence; below, a run seldom wins back the compiling
_mode: ContextVar[CompileMode] = ContextVar("spikeseq_compile", default="auto")
_broken: list[str] = []  # why compiling failed on this machine, said once


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


def _element(step: Step, state_type: Any, params_type: Any) -> Callable[..., tuple[Tensor, tuple[Tensor, ...]]]:
    """One element on plain tuples, padding included."""
    build = params_type if params_type is tuple else lambda values: params_type(*values)

    def element(a: Tensor, mask: Tensor | None, state: Any, params: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        old = state_type(*state)
        output, new = step(a, old, build(params))
        return output, tuple(where_valid(mask, new, old))

    return element


@functools.lru_cache(maxsize=256)
def advance(step: Step, state_type: Any, params_type: Any) -> Callable[..., None]:
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
def retreat(step: Step, state_type: Any, params_type: Any, wanted: tuple[bool, ...]) -> Callable[..., Any]:
    """Backward of one element: its vjp; writes ``da_out``, adds the gradients of the wanted params to their sums."""
    element = _element(step, state_type, params_type)

    def backward(
        a: Any, mask: Any, state: Any, params: Any, g_out: Any, g_rec: Any, g_state: Any, sums: Any, da_out: Any
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        def run(a: Tensor, state: Any, chosen: Any) -> Any:
            picked = iter(chosen)
            merged = tuple(next(picked) if want else p for want, p in zip(wanted, params, strict=True))
            output, new = element(a, mask, state, merged)
            return new if step.output_is_state else (*new, output)

        chosen = tuple(p for want, p in zip(wanted, params, strict=True) if want)
        vjp = torch.func.vjp(run, a, state, chosen)[1]
        first = g_state[0] + g_rec
        if step.output_is_state:
            da, d_state, d_params = vjp((first + g_out, *g_state[1:]))
        else:
            da, d_state, d_params = vjp((first, *g_state[1:], g_out))
        da_out.copy_(da)
        return d_state, tuple(s + d for s, d in zip(sums, d_params, strict=True))

    return backward


def output_like(meta: Any, width: int, state: Any, params: Any, length: int) -> Tensor:
    """Memory for the outputs of a cell whose output is not in its state: run it once to learn their shape."""
    a = state[0].new_zeros(*state[0].shape[:-1], width)
    output, _ = _element(*meta)(a, None, state, params)
    return output.new_empty(length, *output.shape)


@functools.lru_cache(maxsize=256)
def _compiled(function: Callable[..., Any], structure: tuple[bool, ...]) -> Callable[..., Any]:
    """Compile ``function`` for calls whose arguments are None where ``structure`` is False."""
    # a code object of its own: dynamo counts recompilations per code object, and all steps share one closure's code
    own = types.FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    # gates and replicas are joined by writing each into its slice; inductor's default recomputes them for each branch
    return torch.compile(own, fullgraph=True, options={"max_pointwise_cat_inputs": 1})


def choose(function: Callable[..., Any], numbers: int) -> Callable[..., Any]:
    """The compiled form of ``function`` where it pays and a compiler is there, else the function itself."""
    mode = _mode.get()
    if mode == "never" or (mode == "auto" and (numbers < COMPILE_FROM or _broken)):
        return function

    def guarded(*args: Any) -> Any:
        if _broken and mode == "auto":
            return function(*args)
        try:
            return _compiled(function, tuple(a is not None for a in args))(*args)
        except FailOnRecompileLimitHit:  # more shapes in one process than dynamo keeps: this one runs eagerly
            return function(*args)
        except BackendCompilerFailed as error:  # no C++ compiler, or one that fails
            if mode == "always":
                raise
            _broken.append(str(error))
            cause = " ".join(str(error).split())[:300]
            log.warning("torch.compile does not work here, steps run eagerly (slower): %s", cause)
            return function(*args)

    return guarded
