"""The values an audit follows from the batch to the model's output, and which findings reach it.

A finding counts if its product is used. One that is *tentative* (data times a constant) is run in hardware as
comparisons with thresholds divided beforehand, if all that becomes of it, scaled, shifted by constants and clipped, ends
in a few levels. What only goes into ``u - u`` (a surrogate's slope, spikeseq.ops.spike) is used by nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple


class Edge(Enum):
    """How an operation takes its data."""

    THROUGH = "moved, shifted by a constant, scaled by a constant or clipped"
    STEP = "made into a few levels"
    USE = "any other way"
    CUT = "taken from itself: zero, a constant"
    SHAPE = "only its shape is looked at: a constant"


class Found(NamedTuple):
    """One multiplication, where it runs and what was seen."""

    kind: str
    module: str  # dotted name of the innermost module that was running, "" for the model itself
    line: str  # "package/file.py:123"
    operation: str
    why: str
    source: str  # text of that line


@dataclass(eq=False)
class Value:
    """Result of one operation on data; all tensors that share its memory are this value."""

    sources: list[tuple[Value, Edge]] = field(default_factory=list)
    found: Found | None = None
    tentative: bool = False  # whether ``found`` is dropped where the value ends in a few levels
    raw: bool = False  # the batch itself, or moved, masked or cast
    line: bool = False  # the batch, scaled by constants, shifted or clipped: what a converter rounds
    coded: bool = False  # such a line rounded to at most 8 bits, and what is made of it with constants
    whole: bool = False  # integers of the batch (lengths, tokens) and what integers follow from them
    soft: bool = False  # a tentative finding is still open
    stepped: bool = False  # went through floor and the like, with more levels than hardware would compare with
    consumed: bool = False
    sink: bool = False  # the model's output or state
    live: bool = False
    open: bool = False  # reaches something that needs the number, not a level of it

    def __post_init__(self) -> None:
        for source, _ in self.sources:
            source.consumed = True


def raised(values: list[Value]) -> list[Found]:
    """Findings whose product is used; ``values`` in the order they were made. What nobody takes counts as used."""
    for value in reversed(values):
        if value.sink or not value.consumed:
            value.live = value.open = True
        for source, edge in value.sources:
            source.live |= value.live
            source.open |= (edge is Edge.THROUGH and value.open) or (edge is Edge.USE and value.live)
    return [v.found for v in values if v.found and (v.open if v.tentative else v.live)]
