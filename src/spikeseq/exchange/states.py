"""The state of a model, nested as it may be, as a list of named tensors and back."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def leaves(state: Any, path: str = "") -> list[tuple[str, Tensor]]:
    """The tensors of a state with their places in it: fields of a NamedTuple by name, of a tuple by number."""
    if isinstance(state, Tensor):
        return [(path, state)]
    if state is None:
        return []
    names = getattr(state, "_fields", range(len(state)))
    return [leaf for name, part in zip(names, state, strict=True) for leaf in leaves(part, f"{path}.{name}".strip("."))]


def rebuild(like: Any, values: list[Tensor]) -> Any:
    """A state of the structure of ``like`` from the tensors that :func:`leaves` gave; takes them off the list."""
    if isinstance(like, Tensor):
        return values.pop(0)
    if like is None:
        return None
    parts = [rebuild(part, values) for part in like]
    return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)
