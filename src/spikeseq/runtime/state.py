"""What a state must be so that a stream can go on from it: the C code trusts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikeseq.errors import DataError, ShapeError
from spikeseq.runtime.arrays import CURRENTS
from spikeseq.runtime.int8_constants import FRACTION

if TYPE_CHECKING:
    from spikeseq.runtime.program import Program

LARGEST_C, LARGEST_NEURON = 1 << 26, 1 << 28  # of an int8 program: csrc/internal.h
MOST = 127  # of a coded input


def check_state(
    program: Program, now: Mapping[str, NDArray[Any]], state: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return the arrays of ``state``, each like that of ``now``. Raises ShapeError or DataError."""
    new = {}
    for name, old in now.items():
        if name not in state:
            raise ShapeError(f"state has no {name!r}: pass what state() gave")
        value = np.asarray(state[name])
        if value.shape != old.shape or value.dtype != old.dtype:
            raise ShapeError(f"state[{name!r}] is {value.dtype} {value.shape}: pass {old.dtype} {old.shape}")
        new[name] = value
    kind, limit = program.settings.kind, program.settings.most
    finite = all(np.isfinite(new[name]).all() for name in ("c", "sum", "input") if name in new)
    if not finite or _beyond(new["h"], limit):
        raise DataError(f"state holds a value that is not finite, or more than {limit} spikes at once")
    if kind in CURRENTS and not program.settings.is_signed and bool((new["h"] < 0).any()):
        raise DataError("state['h'] holds a negative value, and what these currents send has no sign")
    one = 1 << FRACTION if new["c"].dtype == np.int32 else 1
    if kind == "levels" and bool((np.abs(new["c"].astype(np.float64)) > one).any()):
        raise DataError(f"state['c'] holds a value beyond {one}")
    largest = LARGEST_NEURON if kind == "lif" else LARGEST_C
    if new["c"].dtype == np.int32 and _beyond(new["c"], largest):
        raise DataError(f"state['c'] holds a value beyond {largest}")
    if "k" in new and (_beyond(new["k"], MOST) or not _fits(program, new["k"], new["held"])):
        raise DataError("state['held'] is not the product of W and state['k']")
    return new


def _beyond(values: NDArray[Any], limit: int) -> bool:
    return bool((np.abs(values, dtype=np.int64) > limit).any())


def _fits(program: Program, k: NDArray[Any], held: NDArray[Any]) -> bool:
    """Whether ``held`` [B, 4H] is the product of ``k`` [B, I]: exactly for integers, else but for rounding."""
    rows = program.layers[0].input_rows.astype(np.int64 if held.dtype == np.int32 else np.float64)
    wide = k.astype(rows.dtype)
    room = 0 if held.dtype == np.int32 else 1e-6 * (np.abs(wide) @ np.abs(rows))
    return bool((np.abs(held - wide @ rows) <= room).all())
