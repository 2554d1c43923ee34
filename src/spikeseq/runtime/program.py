"""A model as flat arrays, checked once, that any number of streams run."""

from __future__ import annotations

import ctypes
from pathlib import Path

from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.report.atomic import write_atomic
from spikeseq.runtime import library as lib
from spikeseq.runtime.arrays import (
    POOLING,
    Array,
    LayerArrays,
    ReadoutArrays,
    Settings,
    check_settings,
    check_shapes,
    frozen,
)
from spikeseq.runtime.file import decode, encode
from spikeseq.runtime.stream import Stream


def _pointer(array: Array | None) -> ctypes._Pointer[ctypes.c_float] | None:
    return None if array is None else array.ctypes.data_as(lib.FloatPointer)


class Program:
    """A spiking model for the event-driven runtime; immutable, shared by streams and threads. Made by ``compile``.

    Raises ConfigError when the arrays do not fit each other, hold a number that cannot work, or no library was built.
    """

    def __init__(self, settings: Settings, layers: list[LayerArrays], readout: ReadoutArrays | None = None) -> None:
        self.library = lib.load_library()
        self.settings = settings
        self.layers = tuple(LayerArrays(*(frozen(a) for a in layer)) for layer in layers)  # type: ignore[arg-type]
        self.readout = readout and ReadoutArrays(frozen(readout.rows), frozen(readout.bias), readout.pooling)  # type: ignore[arg-type]
        check_settings(settings)
        check_shapes(self.layers, self.readout)
        self._made = (lib.LayerC * len(self.layers))(*(_layer(a) for a in self.layers))
        self.model = lib.ModelC(
            settings.time_steps, settings.max_packet, settings.shift, len(self.layers), self._made,
            POOLING.index(self.readout.pooling) if self.readout else 0, self.readout.rows.shape[1] if self.readout else 0,
            _pointer(self.readout and self.readout.rows), _pointer(self.readout and self.readout.bias),
        )  # fmt: skip
        status = self.library.spikeseq_check(self.model)
        if status != lib.OK:
            raise ConfigError(f"the model cannot run: {lib.message(self.library, status)}")

    @property
    def input_size(self) -> int:
        """I."""
        return int(self.layers[0].input_rows.shape[0])

    @property
    def output_size(self) -> int:
        """O of the readout, or H of the last layer."""
        return int(self.readout.rows.shape[1] if self.readout else self.layers[-1].recurrent_rows.shape[0])

    @property
    def names(self) -> list[str]:
        """Names of the layers as ``spikeseq.energy.count`` gives them."""
        own = [f"{self.settings.prefix}l{number}" for number in range(len(self.layers))]
        return [*own, "readout"] if self.readout else own

    @property
    def nbytes(self) -> int:
        """Resident bytes of the weights."""
        arrays = [a for layer in self.layers for a in layer] + (list(self.readout[:2]) if self.readout else [])
        return sum(a.nbytes for a in arrays if a is not None)

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


def _layer(arrays: LayerArrays) -> lib.LayerC:
    return lib.LayerC(arrays.input_rows.shape[0], arrays.recurrent_rows.shape[0], *(_pointer(a) for a in arrays))
