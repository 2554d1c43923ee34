"""What an audit reaches into: the tensors of batches, outputs and module states; modes and names of modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.errors import DataError

_DEPTH = 5


def tensors_of(x: Any, depth: int = _DEPTH, seen: set[int] | None = None) -> Iterator[Tensor]:
    """Yield the tensors in ``x``, modules left out, each object looked into once."""
    seen = set() if seen is None else seen
    if isinstance(x, Tensor):
        yield x
    elif depth and not isinstance(x, nn.Module) and id(x) not in seen:
        seen.add(id(x))
        for item in _parts(x):
            yield from tensors_of(item, depth - 1, seen)


def _parts(x: Any) -> list[Any]:
    if isinstance(x, Mapping):
        return list(x.values())
    if isinstance(x, list | tuple | set | frozenset):
        return list(x)
    return [] if isinstance(x, type) or callable(x) else list(getattr(x, "__dict__", {}).values())


def state_of(model: nn.Module) -> Iterator[Tensor]:
    """Tensors that the modules of a model hold: buffers, parameters and attributes."""
    for module in model.modules():
        for value in list(vars(module).values()):
            yield from tensors_of(value)


def arguments(batch: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments of a model for a batch: see :func:`spikeseq.energy.audit.audit`."""
    if isinstance(batch, Mapping):
        return (), dict(batch)
    if isinstance(batch, list | tuple) and not isinstance(batch, PackedSequence):
        return tuple(batch[:1]), {}
    return (batch,), {}


def checked(*inputs: Any) -> list[Tensor]:
    """Return the tensors of the inputs. Raises DataError where they can show nothing."""
    tensors = list(tensors_of(inputs))
    if not any(x.numel() for x in tensors):
        raise DataError("batch holds no tensor with values: pass a tensor, a PackedSequence or a mapping of them")
    for x in tensors:
        if not bool(torch.isfinite(x).all()):
            raise DataError("batch holds NaN or infinite values: pass data that a model could see")
    if not any(bool(x.any()) for x in tensors):
        raise DataError("batch is 0 everywhere: products with 0 show nothing; pass generic values, such as torch.randn")
    return tensors


@contextmanager
def named(model: nn.Module, running: list[str]) -> Iterator[None]:
    """Keep the names of the modules that run in ``running``, outermost first."""

    def enter(name: str) -> Any:
        return lambda *_: running.append(name)

    def leave(*_: Any) -> None:  # a hook that returns something would replace the module's output
        running.pop()

    hooks: list[Any] = []
    for name, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(enter(name), prepend=True))
        hooks.append(module.register_forward_hook(leave, always_call=True))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
