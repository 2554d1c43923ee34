"""Proof by watching: a model, as it runs, only accumulates.

Every ATen operation of one run is judged by a rule (auditing/table.py); one without a rule is a
finding. Free: additions, comparisons, choices, moves; products with a small dyadic number (a shift and few adds); matrix
products of which one operand is levels ``k s`` with ``|k| <= 31`` (spikes, packets, k/T). A product of data with any other
constant is free where only a few levels of it are used: those are comparisons with thresholds divided beforehand.

The proof holds for the values that were seen: give a small batch of generic ones, not zeros or small integers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from spikeseq.energy.auditing.reach import arguments, checked, named, state_of, tensors_of
from spikeseq.energy.auditing.trace import Escapes, Trace
from spikeseq.energy.auditing.values import Found, raised
from spikeseq.errors import ConfigError
from spikeseq.nn.mode import evaluating
from spikeseq.ops.fuse import compiling


@dataclass(frozen=True)
class Finding:
    """A hidden multiplication."""

    kind: str  # "input layer", "matrix product", "element-wise product", "function", "no rule"
    module: str  # dotted name of the innermost module that was running; "" is the model itself
    line: str  # "package/file.py:123"
    operation: str  # ATen name, and the parameter that takes part
    why: str
    source: str = ""  # text of the line
    count: int = 1  # how often it ran

    def __str__(self) -> str:
        times = f", {self.count:,} times" if self.count > 1 else ""
        where = f"{self.module or 'the model'}, {self.line}"
        return f"{self.kind}: {self.operation}{times}, in {where}: {self.source}\n    {self.why}"


@dataclass(frozen=True)
class Audit:
    """Result of :func:`audit`."""

    findings: tuple[Finding, ...]  # in the order they ran
    allowed: tuple[Finding, ...]  # those that ``allow`` lets pass
    operations: int  # on data, that were judged

    @property
    def ok(self) -> bool:
        """Whether nothing was found that is not allowed."""
        return not self.findings

    def __str__(self) -> str:
        number = len(self.findings)
        said = "accumulate-only" if self.ok else f"not accumulate-only: {number} finding{'s' * (number > 1)}"
        let = f", {len(self.allowed)} allowed" if self.allowed else ""
        return "\n".join([f"{said} ({self.operations:,} operations{let})", *map(str, self.findings)])


def audit(model: nn.Module, batch: Any, allow: Iterable[str] = ()) -> Audit:
    """Run a model once, in evaluation mode, and list every hidden multiplication.

    batch  a tensor, a PackedSequence, an (input, target) pair whose target is ignored, or a mapping of keyword arguments;
           small: every tensor of the run is kept until the end
    allow  kinds ("input layer") or dotted names of modules (with what is inside them) whose findings pass
    A model that keeps data in its modules is run a second time, from the state that the first run left. Modes and hooks
    are put back. Raises ConfigError for a model or ``allow`` that is none, DataError for a batch with nothing to see.
    """
    if not isinstance(model, nn.Module):
        raise ConfigError(f"model is {type(model).__name__}: pass an nn.Module")
    if isinstance(allow, str):
        raise ConfigError(f"allow={allow!r}: pass a list of kinds and module names, [{allow!r}]")
    args, kwargs = arguments(batch)
    trace = Trace(model)
    trace.feed(checked(args, kwargs))
    with ExitStack() as stack:
        for context in (torch.no_grad(), evaluating(model), named(model, trace.running), compiling("never")):
            stack.enter_context(context)
        stack.enter_context(torch.compiler.set_stance("force_eager"))  # a user's own torch.compile
        _forward(model, args, kwargs, trace)
        if any(trace.of(x) for x in state_of(model)):
            _forward(model, args, kwargs, trace)
    return _report(trace, tuple(allow))


def assert_accumulate_only(model: nn.Module, batch: Any, allow: Iterable[str] = ()) -> None:
    """Raise AssertionError, with the list of findings, unless :func:`audit` finds nothing."""
    report = audit(model, batch, allow)
    if not report.ok:
        raise AssertionError(str(report))


def _forward(model: nn.Module, args: Any, kwargs: Any, trace: Trace) -> None:
    with Escapes(trace), trace:
        output = model(*args, **kwargs)
    for x in (*tensors_of(output), *state_of(model)):
        if (value := trace.of(x)) is not None:
            value.sink = True


def _report(trace: Trace, allow: tuple[str, ...]) -> Audit:
    counts: Counter[tuple[str, ...]] = Counter()
    first: dict[tuple[str, ...], Found] = {}
    for found in raised(trace.log):
        key = (found.kind, found.module, found.line, found.operation)
        counts[key] += 1
        first.setdefault(key, found)
    findings = [Finding(*found, count=counts[key]) for key, found in first.items()]

    def passes(finding: Finding) -> bool:
        return any(a in (finding.kind, finding.module) or finding.module.startswith(f"{a}.") for a in allow)

    return Audit(tuple(f for f in findings if not passes(f)), tuple(f for f in findings if passes(f)), trace.operations)
