r"""Events -> frames: how many events of each polarity fell on each place, slice by slice.

Slices of one recording, N events with times t from 0::

    by "time"     slice k holds t in [k w, (k + 1) w);  w = window, or (t_last + 1) / frames: the whole recording
    by "count"    slice k holds events [k N / frames, (k + 1) N / frames)

What lies behind the last slice is left out; where a recording ends before it, frames are empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from spikeseq.data.options import check_choice, check_integer
from spikeseq.errors import ConfigError, DataError
from spikeseq.shapes import check_flag


class Events(NamedTuple):
    """Events of one recording, in the order of their times."""

    x: np.ndarray  # [N] column, from 0
    y: np.ndarray  # [N] row, from 0
    p: np.ndarray  # [N] polarity: 0 darker, 1 brighter
    t: np.ndarray  # [N] int64, microseconds, never falling

    def between(self, start: int, stop: int) -> Events:
        """Return the events with start <= t < stop, their times from start."""
        low, high = np.searchsorted(self.t, (start, stop))
        return Events(self.x[low:high], self.y[low:high], self.p[low:high], self.t[low:high] - start)


@dataclass(frozen=True)
class Framing:
    """How a recording becomes frames.

    frames    L, number of slices
    by        slices of equal "time" or of equal "count" of events
    window    microseconds of a slice by time; None: an equal share of the recording
    size      side of a frame, which divides the sensor's: events of a block of pixels are added up
    polarity  True: a channel for each; False: one for both
    most      counts are cut at it; 1 makes frames binary, so that the first layer of a network only adds; None: no limit
    """

    frames: int
    size: int
    by: Literal["time", "count"] = "time"
    window: int | None = None
    polarity: bool = True
    most: int | None = None

    def check(self, sensor: int) -> None:
        """Raise ConfigError for values that cannot be, on a sensor of so many pixels a side."""
        check_integer("frames", self.frames, 1, 10_000)
        check_choice("by", self.by, ("time", "count"))
        check_flag("polarity", self.polarity)
        if self.window is not None:
            check_integer("window", self.window, 1, 2**40)
            if self.by == "count":
                raise ConfigError(f"window={self.window} with by='count': it is for slices of time; leave it out")
        if self.most is not None:
            check_integer("most", self.most, 1, 2**16 - 1)
        sides = [s for s in range(1, sensor + 1) if sensor % s == 0]
        if isinstance(self.size, bool) or self.size not in sides:
            raise ConfigError(f"size={self.size!r} is not valid; use one of {sides}, the divisors of {sensor}")

    def channels(self) -> int:
        """Channels of a frame."""
        return 2 if self.polarity else 1


def to_frames(events: Events, framing: Framing, sensor: int, name: str = "the recording") -> np.ndarray:
    """Return counts, float32 ``[L, channels, size, size]``; channel 0 is polarity 0.

    Raises DataError, naming the recording, for events off the sensor or times that fall.
    """
    _check(events, sensor, name)
    own, block = framing, sensor // framing.size
    shape = (own.frames, own.channels(), own.size, own.size)
    index = _slices(events, own)
    inside = index < own.frames
    channel = events.p.astype(np.int64) if own.polarity else np.zeros(len(events.p), np.int64)
    rows, columns = events.y.astype(np.int64) // block, events.x.astype(np.int64) // block
    places = np.ravel_multi_index(tuple(a[inside] for a in (index, channel, rows, columns)), shape)
    counts = np.bincount(places, minlength=int(np.prod(shape))).reshape(shape)
    return np.minimum(counts, own.most or counts.max(initial=0)).astype(np.float32)


def _slices(events: Events, framing: Framing) -> np.ndarray:
    """The slice that each event belongs to, int64 [N]."""
    number = len(events.t)
    if framing.by == "count":
        return np.arange(number, dtype=np.int64) * framing.frames // max(1, number)
    t = events.t.astype(np.int64)
    if framing.window is not None:
        return t // framing.window
    return t * framing.frames // (int(t[-1]) + 1 if number else 1)


def _check(events: Events, sensor: int, name: str) -> None:
    if not len(events.x) == len(events.y) == len(events.p) == len(events.t):
        raise DataError(
            f"{name}: {[len(a) for a in events]} columns, rows, polarities and times; as many of each are needed"
        )
    if len(events.x) == 0:
        return
    largest = max(int(events.x.max()), int(events.y.max()))
    if min(int(events.x.min()), int(events.y.min())) < 0 or largest >= sensor:
        raise DataError(
            f"{name}: an event at {largest}, the sensor has {sensor} x {sensor} pixels; the file is damaged"
        )
    if int(events.p.max()) > 1 or int(events.p.min()) < 0:
        raise DataError(f"{name}: polarities run to {int(events.p.max())}; they are 0 and 1")
    if int(events.t[0]) < 0 or (np.diff(events.t.astype(np.int64)) < 0).any():
        raise DataError(f"{name}: times fall or begin below 0; sort the events by time")
