"""Decisions along a recording: windows of the length that a model was trained on, one of them ending at each hop.

A model of words was trained on clips of a second, from a zero state. So each decision is of a window of its own that began a
second before, from a zero state too: what was said earlier changes nothing, and a decision is that of the whole model on
that second, to the last digit. Windows overlap, so a second of sound costs second / hop times what one window does. Until the
first window is full, the decisions are those of the part heard so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from spikeseq.cli.listening import Window, Work


@dataclass
class _Open:
    """A window and the elements that it has yet to hear."""

    window: Window
    waiting: list[np.ndarray] = field(default_factory=list)
    heard: int = 0


@dataclass(frozen=True)
class Decision:
    """What was heard at an element: logits ``[classes]`` of a window of ``heard`` elements; ``work`` since the last one."""

    element: int
    heard: int
    logits: np.ndarray
    work: Work


class Windows:
    """Elements in, decisions out.

    opened   makes a window;  length  elements of a full window;  hop  elements between two decisions
    """

    def __init__(self, opened: Callable[[], Window], length: int, hop: int) -> None:
        self._opened, self._length, self._hop = opened, length, hop
        self._open: list[_Open] = []  # the oldest first
        self._element = self._decided = 0

    def push(self, x: np.ndarray) -> Iterator[Decision]:
        """Next elements ``[n, I]`` -> the decisions that fall due."""
        for element in x:
            if self._element % self._hop == 0:
                self._open.append(_Open(self._opened()))
            for own in self._open:
                own.waiting.append(element)
            self._element += 1
            if (self._element - self._length) % self._hop == 0 and self._open:
                yield self._decide()

    def finish(self) -> Iterator[Decision]:
        """The end of the recording: one more decision if elements came behind the last."""
        if self._element > self._decided and self._open:
            yield self._decide()

    def _decide(self) -> Decision:
        """Let every window hear what came; the oldest decides, and closes when it is full."""
        work = Work()
        for own in reversed(self._open):
            logits, spent = own.window.hear(np.stack(own.waiting))
            work = work.plus(spent)
            own.heard += len(own.waiting)
            own.waiting.clear()
        heard = self._open[0].heard  # what the loop did last is the oldest
        if heard == self._length:
            self._open.pop(0)
        self._decided = self._element
        return Decision(self._element, heard, logits, work)
