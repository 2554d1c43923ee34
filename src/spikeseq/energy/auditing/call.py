"""One operation that is about to run: its arguments by name, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from spikeseq.energy.auditing.operands import LARGEST, common_scale, has_dyadic_scale, magnitudes
from spikeseq.energy.auditing.values import Value
from spikeseq.energy.auditing.where import source_line
from spikeseq.ops.dyadic import is_small_dyadic

_OVERWRITES = ("copy", "fill", "zero", "normal", "uniform")  # in-place, and read nothing of what was there


class Known(Protocol):
    """What a call asks the trace for."""

    running: list[str]
    levels: dict[tuple[Any, ...], Tensor]
    names: dict[Any, str]

    def of(self, x: Any) -> Value | None:
        """The value in a tensor's memory, None for a constant."""


def memory_of(x: Tensor) -> Any:
    """Identity of a tensor's memory, shared by its views."""
    try:
        return x.untyped_storage()._cdata
    except NotImplementedError:  # sparse and other tensors without one
        return "tensor", id(x)


def tensors_in(x: Any) -> Iterator[Tensor]:
    """Tensors in arguments or results: lists and tuples go one or two levels down."""
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, list | tuple):
        for item in x:
            yield from tensors_in(item)


class TracedCall:
    """See :class:`spikeseq.energy.auditing.ops.Call`."""

    def __init__(self, trace: Known, func: Any, args: Any, kwargs: Any) -> None:
        self.trace = trace
        self._place: tuple[str, str] | None = None
        schema = func._schema
        space, name = schema.name.split("::")
        name = name[:-1] if name.endswith("_") and not name.endswith("__") else name
        self.name = name if space == "aten" else f"{space}::{name}"
        self.given = {a.name: args[i] if i < len(args) else kwargs.get(a.name, a.default_value)
                      for i, a in enumerate(schema.arguments)}  # fmt: skip
        self.read: list[Tensor] = []
        self.written: list[Tensor] = []
        for a in schema.arguments:
            writes = a.alias_info is not None and a.alias_info.is_write
            if writes:
                self.written += tensors_in(self.given[a.name])
            if not writes or not (a.kwarg_only or name in _OVERWRITES):
                self.read += tensors_in(self.given[a.name])
        self.is_view = not self.written and bool(schema.returns) and all(r.alias_info for r in schema.returns)
        found = [v for x in self.read if (v := trace.of(x)) is not None]
        self.sources = list(dict.fromkeys(found))

    @property
    def place(self) -> tuple[str, str]:
        """Where it runs, "package/file.py:123", and the text of that line."""
        self._place = self._place or source_line()
        return self._place

    @property
    def module(self) -> str:
        """Name of the innermost module that runs."""
        return self.trace.running[-1] if self.trace.running else ""

    @property
    def held(self) -> Tensor | None:
        """The largest parameter, or what a parameter was made into, that takes part in it."""
        named = [x for x in self.read if memory_of(x) in self.trace.names]
        return max(named, key=Tensor.numel) if named else None

    @property
    def operation(self) -> str:
        """The operation, and that parameter."""
        held = self.held
        return self.name if held is None else f"{self.name} with {self.trace.names[memory_of(held)]}"

    def varies(self, x: Any) -> bool:
        """Whether ``x`` is a tensor that depends on the batch."""
        return self.trace.of(x) is not None

    def is_raw(self, x: Any) -> bool:
        """Whether ``x`` is the batch itself, or moved, masked or cast."""
        value = self.trace.of(x)
        return value is not None and value.raw

    def is_coded(self, x: Any) -> bool:
        """Whether ``x`` is the batch, or what a converter of at most 8 bits makes of it."""
        value = self.trace.of(x)
        return value is not None and (value.raw or value.coded)

    def is_length(self, x: Any) -> bool:
        """Whether ``x`` are integers that follow from integers of the batch alone."""
        value = self.trace.of(x)
        return value is not None and value.whole and not x.is_floating_point()

    def is_mask(self, x: Any) -> bool:
        """Whether ``x`` is 0 and 1 only and follows from constants or lengths."""
        value = self.trace.of(x)
        return (value is None or value.whole) and bool(((x == torch.as_tensor(0)) | (x == torch.as_tensor(1))).all())

    def has_levels(self, slot: str, x: Tensor, fixed: bool = False, largest: int = LARGEST) -> bool:
        """Whether ``x`` is ``k s``, ``|k| <= largest``, one s at every call of this line; ``fixed``: s = 2^e, ``|k| <= 16``.

        One number alone shows no scale: then it must be dyadic.
        """
        now = magnitudes(x)
        if now is None or fixed:
            return now is not None and has_dyadic_scale(now)
        if x.numel() == 1 and not is_small_dyadic(x):
            return False
        key = (self.module, self.place[0], self.operation, slot)
        before = self.trace.levels.get(key)
        seen = now if before is None else torch.unique(torch.cat([before, now]))
        if common_scale(seen, largest, x.dtype) is None:
            return False
        self.trace.levels[key] = seen
        return True

    def same(self, a: Any, b: Any) -> bool:
        """Whether two tensors are the same memory, seen the same way."""
        return bool(
            isinstance(a, Tensor) and isinstance(b, Tensor) and memory_of(a) == memory_of(b) and a.dtype == b.dtype
            and a.shape == b.shape and a.stride() == b.stride() and a.storage_offset() == b.storage_offset()
        )  # fmt: skip
