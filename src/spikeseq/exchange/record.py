"""Record what a function does to its input tensors; what does not depend on them is computed once and is a constant.

Every operation is run, under a dispatch mode, and kept if it saw an input. A scan is kept as one loop with the operations of a
single element as its body, or, for a graph of one element, as that element's operations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from spikeseq.errors import ConversionError
from spikeseq.exchange.graph import LOOP, Graph, Loop, Node, Ref
from spikeseq.ops.reference import apply, preactivation, scan_reference
from spikeseq.ops.scan import Projection, run_by


class Recorder(TorchDispatchMode):
    """Notes down operations on tracked tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.known: dict[int, Ref] = {}
        self.alive: list[Tensor] = []  # an id stands for a tensor as long as that lives

    def track(self, value: Tensor) -> Ref:
        """Take a tensor for one that depends on the inputs."""
        ref = Ref(len(self.alive), tuple(value.shape), value.dtype)
        self.known[id(value)] = ref
        self.alive.append(value)
        return ref

    def name(self, value: Any) -> Any:
        """An argument with a Ref for every tracked tensor in it."""
        if isinstance(value, Tensor):
            return self.known.get(id(value), value)
        if isinstance(value, list | tuple):
            return [self.name(v) for v in value]
        return value

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and note it down if it saw a tracked tensor."""
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        named, named_kwargs = self.name(args), {k: self.name(v) for k, v in kwargs.items()}
        op = str(func.overloadpacket)
        if (_has_ref(named) or _has_ref(list(named_kwargs.values()))) and not _one(op, output):
            if func._schema.is_mutable:
                raise ConversionError(f"{op} writes into a tensor: a graph has no such operation")
            outputs = output if isinstance(output, list | tuple) else (output,)
            refs = tuple(self.track(o) for o in outputs if isinstance(o, Tensor))
            self.nodes.append(Node(op, tuple(named), named_kwargs, refs))
        return output


def _one(op: str, output: Any) -> bool:
    """Whether it makes a new tensor of one number: no batch has size 1 here, so that it depends on nothing."""
    return op.startswith("aten.new_") and output.numel() == 1


def _has_ref(value: Any) -> bool:
    return isinstance(value, Ref) or (isinstance(value, list) and any(map(_has_ref, value)))


def record(function: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor], loops: bool) -> Graph:
    """Record ``function(*inputs)``, which gives tensors. ``loops``: keep scans as loops; else each has one element."""
    recorder = Recorder()
    refs = tuple(recorder.track(x) for x in inputs)

    def along(*scan: Any) -> Any:
        return _loop(recorder, *scan) if loops else _element(*scan)

    with torch.no_grad(), run_by(along), recorder:
        outputs = function(*inputs)
    return Graph(refs, tuple(recorder.nodes), tuple(recorder.name(o) for o in outputs))


def _element(step: Any, drive: Any, u: Any, state: Any, params: Any, mask: Any = None) -> Any:
    """A scan of one element, written out."""
    source = F.linear(*drive) if isinstance(drive, Projection) else drive
    return scan_reference(step, source, u, state, params, mask)


def _loop(recorder: Recorder, step: Any, drive: Any, u: Any, state: Any, params: Any, mask: Any = None) -> Any:
    """A scan kept as a loop. Only the shapes of its values are right: nothing here looks at more."""
    x, weight, bias = drive if isinstance(drive, Projection) else (drive, None, None)
    if mask is not None:
        raise ConversionError("lengths: a graph runs rows of one length")
    held = [v for v in (weight, bias, u, *params) if v is not None]
    if any(id(v) in recorder.known for v in held):
        raise ConversionError(f"{type(step).__name__}: its parameters depend on the input, which a loop cannot hold")

    made: list[Tensor] = []

    def element(a: Tensor, *values: Tensor) -> list[Tensor]:
        recurrent = None if u is None else F.linear(values[0], u)
        output, new = apply(step, preactivation(a, recurrent), None, type(state)(*values), params)
        made.extend((output.expand(len(x), *output.shape).clone(), *(value.clone() for value in new)))
        return [output, *new]

    with _paused(recorder):
        first = x[0].clone() if weight is None else F.linear(x[0], weight, bias)
        body = record(element, [first, *(s.clone() for s in state)], loops=False)
    start = tuple(recorder.name(s) for s in state)
    loop = Loop(step, recorder.name(x), weight, bias, u, start, body)
    recorder.nodes.append(Node(LOOP, (loop,), {}, tuple(recorder.track(value) for value in made)))
    return made[0], type(state)(*made[1:])


@contextmanager
def _paused(recorder: Recorder) -> Iterator[None]:
    """Leave the recorder, and come back."""
    recorder.__exit__(None, None, None)
    try:
        yield
    finally:
        recorder.__enter__()
