"""Watches every ATen operation of a running model and follows what depends on the batch, by the memory it lies in.

Memory that data was written into is data, whole; views share it. Every tensor seen is kept until the audit ends, so that
no address is used twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from spikeseq.energy.auditing.call import TracedCall, memory_of, tensors_in
from spikeseq.energy.auditing.operands import EIGHT_BITS, LARGEST
from spikeseq.energy.auditing.ops import MOVE, NO_RULE, Verdict
from spikeseq.energy.auditing.table import RANDOM, RULES
from spikeseq.energy.auditing.values import Edge, Found, Value
from spikeseq.energy.auditing.where import source_line

ENCODING = ("add", "sub", "rsub", "mul")  # of a coded value with another, such as sign(x) floor(|x|)


class Trace(TorchDispatchMode):
    """The record of one run."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.values: dict[Any, Value] = {}  # by memory; what is not here is a constant
        self.log: list[Value] = []
        self.kept: list[Tensor] = []
        self.running: list[str] = []  # names of the modules that run, outermost first
        self.levels: dict[tuple[Any, ...], Tensor] = {}  # magnitudes seen of one operand at one line
        self.operations = 0
        named = (*model.named_parameters(), *model.named_buffers())
        self.names = {memory_of(tensor): name for name, tensor in named}

    def feed(self, batch: Iterable[Tensor]) -> None:
        """Declare the raw input."""
        for x in batch:
            whole = not (x.is_floating_point() or x.is_complex())
            self._add(Value(raw=True, line=True, whole=whole), [x])

    def of(self, x: Any) -> Value | None:
        """The value in a tensor's memory, None for a constant."""
        return self.values.get(memory_of(x)) if isinstance(x, Tensor) else None

    def _add(self, value: Value, tensors: Iterable[Tensor]) -> None:
        self.log.append(value)
        for x in tensors:
            self.values[memory_of(x)] = value
            self.kept.append(x)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunction():  # what the audit itself asks of tensors is no escape
            return self._watch(func, args, kwargs or {})

    def _watch(self, func: Any, args: Any, kwargs: Any) -> Any:
        call = TracedCall(self, func, args, kwargs)
        verdict = self._judge(call)  # before it runs: an in-place operation overwrites what it reads
        out = func(*args, **kwargs)
        self.kept += [*call.read, *call.written, *tensors_in(out)]
        if not call.sources:
            self._name(call, out)
        if call.is_view and call.sources and any(self.of(x) is None for x in tensors_in(out)):
            verdict = MOVE  # a view in name only, in memory of its own
        if verdict is None or verdict.edge in (Edge.CUT, Edge.SHAPE):
            self._constant(call, verdict)
        else:
            self._record(call, verdict, out)
        return out

    def _name(self, call: TracedCall, out: Any) -> None:
        """Let what a parameter is made into bear its name: cast, scaled, with its normalisation folded in."""
        held = call.held
        if held is None:
            return
        for x in tensors_in(out):
            if x.shape == held.shape:
                self.names.setdefault(memory_of(x), self.names[memory_of(held)])

    def _judge(self, call: TracedCall) -> Verdict | None:
        """None: constants only, or a view."""
        if (not call.sources and call.name not in RANDOM.split()) or call.is_view:
            return None
        self.operations += 1
        rule = RULES.get(call.name)
        if rule is None:
            return Verdict(kind=NO_RULE, why="the audit does not know this operation")
        if any(x.layout is not torch.strided for x in call.read):
            return Verdict(kind=NO_RULE, why="sparse or packed memory, whose values the audit does not read")
        return rule(call)

    def _constant(self, call: TracedCall, verdict: Verdict | None) -> None:
        if verdict and verdict.edge is Edge.CUT:
            for source in call.sources:
                source.consumed = True
        for x in call.written:
            if covers(x):
                self.values.pop(memory_of(x), None)

    def _record(self, call: TracedCall, verdict: Verdict, out: Any) -> None:
        edge, opened = verdict.edge, verdict.kind is not None and verdict.tentative
        stepped = edge is Edge.STEP or (edge is Edge.THROUGH and any(s.stepped for s in call.sources))
        results = [*tensors_in(out)]
        if stepped and (opened or any(s.soft for s in call.sources)):
            most = EIGHT_BITS if all(s.line or s.coded for s in call.sources) else LARGEST
            few = all(call.has_levels("result", x, largest=most) for x in results)
            opened = opened and not (few and verdict.edge is Edge.STEP)
            edge, stepped = (Edge.STEP, False) if few else (Edge.THROUGH, True)
        sources = [(s, edge) for s in call.sources]
        # memory only partly written still holds what was there
        rest = [old for x in call.written if not covers(x) and (old := self.of(x))]
        raw = verdict.moves and all(s.raw or s.whole for s in (*call.sources, *rest))
        integers = verdict.moves or not any(x.is_floating_point() or x.is_complex() for x in results)
        held_in = (*call.sources, *rest)
        line = bool(held_in) and edge is Edge.THROUGH and all(s.line for s in held_in)
        coded = bool(held_in) and all(s.coded or (s.line and edge is Edge.STEP) for s in held_in)
        coded = coded and (edge in (Edge.THROUGH, Edge.STEP) or call.name in ENCODING)
        found = None
        if verdict.kind is not None and (opened or not verdict.tentative):
            found = Found(verdict.kind, call.module, call.place[0], call.operation, verdict.why, call.place[1])
        value = Value(
            sources + [(old, Edge.THROUGH) for old in rest],
            found,
            tentative=opened,
            raw=raw and any(s.raw for s in call.sources),
            line=line,
            coded=coded,
            whole=integers and bool(call.sources) and all(s.whole for s in (*call.sources, *rest)),
            soft=opened or any(s.soft for s in rest) or (edge is Edge.THROUGH and any(s.soft for s in call.sources)),
            stepped=stepped or any(s.stepped for s in rest),
        )
        held = {memory_of(x) for x in call.read}
        self._add(value, [*(x for x in results if memory_of(x) not in held), *call.written])

    def escape(self, func: Any, x: Any) -> None:
        """Record that numbers leave the tensors in a way that is no ATen operation."""
        value = self.of(x)
        if value is not None and not (value.whole and not x.is_floating_point()) and x.dtype is not torch.bool:
            why = "data leaves the tensors as Python or NumPy numbers: what becomes of it is not seen"
            line, text = source_line()
            module = self.running[-1] if self.running else ""
            self._add(Value([(value, Edge.USE)], Found(NO_RULE, module, line, func.__name__, why, text)), [])


def covers(x: Tensor) -> bool:
    """Whether a tensor is all of its memory."""
    try:
        return x.numel() * x.element_size() == x.untyped_storage().nbytes()
    except NotImplementedError:
        return False


class Escapes(TorchFunctionMode):
    """Sees what hands memory over to Python or NumPy."""

    WAYS = (
        Tensor.numpy, Tensor.tolist, Tensor.__array__, Tensor.__dlpack__,
        Tensor.data_ptr, Tensor.untyped_storage, Tensor.storage,
    )  # fmt: skip

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self.WAYS:
            self.trace.escape(func, args[0])
        return func(*args, **(kwargs or {}))
