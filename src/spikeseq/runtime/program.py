"""A model as flat arrays, checked once, that any number of streams run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.ops.dyadic import leak_operations
from spikeseq.ops.schedule import Schedule
from spikeseq.report.atomic import write_atomic
from spikeseq.runtime import library as lib
from spikeseq.runtime.arrays import (
    CODES,
    KINDS,
    POOLING,
    RESETS,
    Int8Arrays,
    LayerArrays,
    ReadoutArrays,
    Settings,
    check_settings,
    check_shapes,
    frozen,
    hidden_size,
)
from spikeseq.runtime.file import decode, encode
from spikeseq.runtime.stream import Stream


def _pointer(array: NDArray[Any] | None, kind: Any = lib.FloatPointer) -> Any:
    return None if array is None else array.ctypes.data_as(kind)


class Program:
    """A spiking model for the event-driven runtime; immutable, shared by streams and threads. Made by ``compile``.

    Raises ConfigError when the arrays do not fit each other, hold a number that cannot work, or no library was built.
    """

    def __init__(
        self, settings: Settings, layers: Sequence[LayerArrays | Int8Arrays], readout: ReadoutArrays | None = None
    ) -> None:
        self.library = lib.load_library()
        check_settings(settings)
        check_shapes(settings, layers, readout)
        self.settings = settings
        self.layers = tuple(type(layer)(*(frozen(a) for a in layer)) for layer in layers)  # type: ignore[arg-type]
        self.readout: ReadoutArrays | None = None
        if readout:
            rows, scale, bias = (frozen(a) for a in readout[:3])
            assert rows is not None
            self.readout = ReadoutArrays(rows, scale, bias, readout.pooling)
        self.model = self._model()
        status = self.library.spikeseq_check(self.model)
        if status != lib.OK:
            raise ConfigError(f"the model cannot run: {lib.message(self.library, status)}")

    def _model(self) -> lib.ModelC:
        """The descriptor; its pointers lead into the arrays that this program keeps."""
        own, readout = self.settings, self.readout
        eight, whole = own.weights == "int8", own.whole
        made = [
            _layer(arrays, hidden, lib.LayerInt8C if whole else lib.LayerC, int(own.kind == "streams"))
            for arrays, hidden in zip(self.layers, self.hidden_sizes, strict=True)
        ]
        self._made = (type(made[0]) * len(made))(*made)
        rows = readout.rows if readout else None
        return lib.ModelC(
            KINDS.index(own.kind), CODES.index(own.input_code), own.time_steps, own.max_packet, own.shift,
            len(made), None if whole else self._made,
            RESETS.index(own.reset), own.is_signed, own.code_scale, own.input_scale, own.code_dead, own.code_nearest,
            POOLING.index(readout.pooling) if readout else 0, self.output_size if readout else 0,
            None if eight else _pointer(rows), _pointer(readout.bias if readout else None),
            self._made if whole else None, _pointer(rows, lib.Byte) if eight else None,
            _pointer(readout.scale if readout else None),
        )  # fmt: skip

    @property
    def input_size(self) -> int:
        """I."""
        return int(self.layers[0].input_rows.shape[0])

    @property
    def hidden_sizes(self) -> list[int]:
        """H of each layer."""
        return [hidden_size(self.settings, layer) for layer in self.layers]

    @property
    def output_size(self) -> int:
        """O of the readout, or H of the last layer."""
        return int(self.readout.rows.shape[1]) if self.readout else self.hidden_sizes[-1]

    @property
    def names(self) -> list[str]:
        """Names of the layers as ``spikeseq.energy.count`` gives them."""
        if self.settings.names:
            return list(self.settings.names)
        own = [f"{self.settings.prefix}l{number}" for number in range(len(self.layers))]
        return [*own, "readout"] if self.readout else own

    @property
    def nbytes(self) -> int:
        """Resident bytes of the weights."""
        arrays = [a for layer in (*self.layers, *([self.readout] if self.readout else [])) for a in layer]
        return sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))

    def schedule(self, seq_len: int) -> Schedule:
        """When a machine that pipelines the time steps runs each node of a sequence; ``print`` shows it."""
        carried = self.settings.kind == "lif"  # from (n-1, T) to (n, 1)
        return Schedule(seq_len, self.settings.nodes, len(self.layers), "chained" if carried else "wavefront")

    def stream(self, batch_size: int = 1) -> Stream:
        """Return ``batch_size`` sequences side by side, each at its start."""
        return Stream(self, batch_size)

    def save(self, path: str | Path) -> Path:
        """Write one file, whole or not at all (runtime/file.py)."""
        return write_atomic(path, encode(self.settings, self.layers, self.readout))

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Read a file that ``save`` wrote. Raises CheckpointError when it is missing, damaged or another kind of file."""
        lib.load_library()  # a missing library is not the file's fault
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise CheckpointError(f"program {str(path)!r} cannot be read ({error})") from error
        try:
            return cls(*decode(data))
        except (CheckpointError, ConfigError) as error:
            raise CheckpointError(f"program {str(path)!r}: {error}") from error


def _layer(arrays: LayerArrays | Int8Arrays, hidden: int, kind: Any, elsewhere: int) -> Any:
    types, pointers = dict(kind._fields_), {}
    for name, array in arrays._asdict().items():
        units = kind is lib.LayerC and array is not None and array.dtype == np.int8
        field = f"{name}_int8" if units else name
        pointers[field] = _pointer(array, types[field])
    leaks = torch.ones(hidden) if arrays.leak is None else torch.from_numpy(arrays.leak.astype(np.float64))
    return kind(len(arrays.input_rows), hidden, *leak_operations(leaks, elsewhere), **pointers)
