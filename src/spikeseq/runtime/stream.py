"""Sequences that run element by element: state in caller's memory, operations counted."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeseq.errors import ConfigError, DataError, ShapeError
from spikeseq.runtime import library as lib
from spikeseq.runtime.arrays import CODED, CURRENTS, LINE
from spikeseq.runtime.state import check_state

if TYPE_CHECKING:
    from spikeseq.runtime.program import Program

_FLOAT = np.dtype(np.float32)


class Stream:
    """``batch_size`` independent sequences of one program; for one thread at a time.

    Raises ConfigError for a batch size that is no positive integer.
    """

    def __init__(self, program: Program, batch_size: int = 1) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ConfigError(f"batch_size={batch_size!r}: pass a positive integer")
        self.program, self.batch_size, self._library = program, batch_size, program.library
        size = ctypes.c_size_t()
        self._library.spikeseq_stream_size(program.model, size)
        self.nbytes = size.value * batch_size  # size is a multiple of a cache line
        self._memory = np.zeros(self.nbytes + LINE, np.uint8)
        start = self._memory.ctypes.data + -self._memory.ctypes.data % LINE
        self._rows = (lib.StreamC * batch_size)()
        for b, row in enumerate(self._rows):
            status = self._library.spikeseq_stream_init(program.model, start + b * size.value, size.value, row)
            assert status == lib.OK
        self._views = [_views(program, row) for row in self._rows]
        self._x = np.zeros((batch_size, program.input_size), np.float32)
        self._y = np.zeros((batch_size, program.output_size), np.float32)
        self._shapes = (self._x.shape, self._x.shape[1:]) if batch_size == 1 else (self._x.shape,)
        self._first = self._y[0]
        own = self._arguments(self._x, self._y)
        self._steps = [functools.partial(self._library.spikeseq_step, *arguments) for arguments in own]

    def step(self, x: ArrayLike) -> NDArray[np.float32]:
        """One element ``[I]`` (one sequence) or ``[B, I]`` -> what the model gives for it, ``[O]`` or ``[B, O]``.

        Without a readout: the spikes' average over T, or the values sent, O = H. With one: logits of this element, or of the
        mean so far.
        Raises ShapeError, and DataError for a value that is not finite: that row's element is not taken.
        """
        # a small program's element takes two microseconds: the common case passes no further check and makes one array
        if not (type(x) is np.ndarray and x.dtype is _FLOAT and x.shape in self._shapes):
            x = self._values(x, (1, 2))
        self._x[...] = x
        for b, step in enumerate(self._steps):
            if status := step():
                self._refuse(b, status)
        return self._y.copy() if x.ndim == 2 else self._first.copy()

    def run(self, x: ArrayLike) -> NDArray[np.float32]:
        """A chunk ``[L, I]`` or ``[L, B, I]`` -> ``[L, H]`` or ``[L, B, H]``; a readout gives its last.

        Equal to L steps; a readout that takes the last element runs once. Raises as :meth:`step`: the elements before are
        taken.
        """
        values = self._values(x, (2, 3))
        if not len(values):
            raise ShapeError("x holds no element: pass at least one")
        size = self.program.output_size
        rows = np.ascontiguousarray(values.reshape(len(values), self.batch_size, -1).swapaxes(0, 1))
        y = np.empty((self.batch_size, 1 if self.program.readout else len(values), size), np.float32)
        for b, own in enumerate(self._arguments(rows, y)):
            if status := self._library.spikeseq_sequence(*own):
                self._refuse(b, status)
        y = y[:, 0] if self.program.readout else y.swapaxes(0, 1)
        return y.reshape(*y.shape[:-2], size) if values.ndim == 2 else y

    def reset(self) -> None:
        """Every sequence as at its start; counters go on."""
        for row in self._rows:
            self._library.spikeseq_reset(ctypes.addressof(row))

    def state(self) -> dict[str, NDArray[Any]]:
        """State as plain arrays, for ``np.savez``.

        c [B, layers, T, H] float32, of an int8 program int32 in units of 2^-16;  h [B, layers, T, H] int8 spikes; of a LIF
        network c [B, sum of H] membranes and h [B, T sum of H], layer after layer; of currents c [B, layers, 2, H], current
        and what is still to be sent, and h [B, layers, H] packets or levels;
        sum [B, O] float64 ([B, H] where multi-bit values are pooled);  elements [B] uint64; of a delta-coded input k [B, I]
        int8 and held [B, 4H], W x so far; of a sigma-delta input, input [B, I], what is still to be sent
        """
        found = {name: np.stack([view[name] for view in self._views]) for name in self._views[0]}
        return {**found, "elements": np.array([row.elements for row in self._rows], np.uint64)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of the same program and batch size. Raises ShapeError or DataError; nothing is loaded then."""
        new = check_state(self.program, self.state(), state)
        for b, row in enumerate(self._rows):
            row.elements = int(new["elements"][b])
            for name, view in self._views[b].items():
                view[...] = new[name][b]

    def counters(self) -> dict[str, dict[str, int]]:
        """Operations since the stream was made, by layer, all sequences together; rules of ``spikeseq.energy.count``."""
        if any(row.analog for row in self._rows):  # what one sequence multiplies, the layer multiplies
            for row in self._rows:
                self._library.spikeseq_multiply(ctypes.addressof(row))
        counted = [
            {field: sum(getattr(row.counters[number], field) for row in self._rows) for field in lib.OPERATIONS}
            for number in range(len(self.program.layers) + bool(self.program.readout))
        ]
        if self.program.settings.kind == "lif":  # product and neurons, readout and integrator have names of their own
            counted = [part for one in counted for part in _apart(one)]
        return dict(zip(self.program.names, counted, strict=False))  # the last has no integrator: pooling last

    def _values(self, x: ArrayLike, dims: tuple[int, int]) -> NDArray[np.float32]:
        if isinstance(x, np.ndarray) and x.dtype == np.float32:
            values = x if x.flags.c_contiguous else x.copy()
        else:
            try:
                raw = np.asarray(x)
                with np.errstate(over="ignore"):  # becomes infinite and is refused
                    values = raw.real.astype(np.float32, order="C")
            except (TypeError, ValueError, OverflowError, AttributeError) as error:
                raise DataError(
                    f"x holds something else than numbers ({error}), or rows of different lengths"
                ) from error
            if np.iscomplexobj(raw):
                raise DataError("x is complex: pass real numbers")
        batched = (self.batch_size, self.program.input_size)
        one = values.ndim == dims[0] and self.batch_size == 1 and values.shape[-1] == batched[1]
        if not one and not (values.ndim == dims[1] and values.shape[-2:] == batched):
            raise ShapeError(f"x has shape {values.shape}: pass [.., {batched[0]}, {batched[1]}] with {dims[1]} axes")
        return values

    def _arguments(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> list[tuple[Any, ...]]:
        """What C is called with for each sequence; the arrays must be kept while they are used."""
        inputs, outputs = x.size // self.batch_size, y.size // self.batch_size
        return [
            (
                ctypes.c_void_p(ctypes.addressof(row)), ctypes.c_void_p(x.ctypes.data + 4 * inputs * b),
                ctypes.c_size_t(inputs), ctypes.c_void_p(y.ctypes.data + 4 * outputs * b), ctypes.c_size_t(outputs),
            )
            for b, row in enumerate(self._rows)
        ]  # fmt: skip

    def _refuse(self, b: int, status: int) -> NoReturn:
        raise DataError(
            f"x of sequence {b}: {lib.message(self._library, status)}, or W x + b is; this element was not taken"
        )


def _apart(layer: Mapping[str, int]) -> list[dict[str, int]]:
    """Operations of a LIF layer or readout -> those of its product, and of its neurons or integrator."""
    product = {"elements", "int8_macs", "acs"}
    of_product = {name: value if name in product else 0 for name, value in layer.items()}
    of_neurons = {name: 0 if name in product else value for name, value in layer.items()}
    of_product["macs"], of_neurons["macs"] = layer["macs"] - layer["elementwise"], layer["elementwise"]
    return [of_product, {**of_neurons, "elements": layer["elements"]}]


def _views(program: Program, row: Any) -> dict[str, NDArray[Any]]:
    """The state of one sequence where it lies."""
    own, units, as_array = program.settings, program.hidden_sizes, np.ctypeslib.as_array
    eight = own.whole
    spikes: tuple[int, ...] = (len(units), own.time_steps, units[0])
    cells = spikes
    if own.kind == "lif":
        cells, spikes = (sum(units),), (own.time_steps * sum(units),)
    elif own.kind in CURRENTS:
        cells, spikes = (len(units), 2, units[0]), (len(units), units[0])
    found = {"c": as_array(row.c_int8 if eight else row.c, cells), "h": as_array(row.h, spikes)}
    if own.input_code == "sigma_delta":
        found["input"] = as_array(row.x, (program.input_size,))
    if own.input_code == "delta":
        found["k"] = as_array(row.k, (program.input_size,))
        found["held"] = as_array(row.held_int8 if eight else row.held, (own.gates * units[0],))
    readout = program.readout
    of_values = readout and own.kind in CODED and readout.pooling != "last"
    summed = program.hidden_sizes[-1] if of_values else program.output_size
    return {**found, "sum": as_array(row.sum, (summed,)) if readout else np.empty(0)}
