"""A program as plain C: the files of csrc/, one header with the weights, a command that reads CSV, a Makefile, a README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeseq.export.folder import check_replaceable, write_folder
from spikeseq.export.footprint import count_code
from spikeseq.export.literals import definitions
from spikeseq.export.readme import readme, title
from spikeseq.export.sources import runtime_sources, template
from spikeseq.runtime import Program
from spikeseq.runtime import library as lib

HEADER = """/* {title}
 * Made by spikeseq export c: export anew instead of editing. const: it may lie in flash. Include it in one file only. */
#ifndef SPIKESEQ_MODEL_H
#define SPIKESEQ_MODEL_H

#include "spikeseq.h"

_Static_assert(SPIKESEQ_ABI == {abi}u, "model.h belongs to other C files: export anew");

enum {{
    MODEL_INPUTS = {inputs},
    MODEL_OUTPUTS = {outputs},
    MODEL_STREAM_BYTES = {stream}, /* spikeseq_stream_size(&model) */
}};

{definitions}

#endif
"""


def export_c(program: Program, folder: str | Path) -> Path:
    """Write a folder that ``make`` turns into a command, and return its path; whole or not at all.

    Its output equals the program's: every bit with int8 weights, and in float32 where the CPU rounds alike.
    An earlier, unchanged export is replaced.

    Raises:
        ConfigError: the path is a file or a folder with anything else in it, or the C files were not installed.
        OSError: the folder cannot be written.
    """
    check_replaceable(Path(folder).resolve())
    sources = runtime_sources()
    texts = {
        "model.h": header(program),
        "README.md": readme(program, count_code(sources)),
        **{name: template(name) for name in ("main.c", "csv.c", "csv.h", "Makefile")},
    }
    return write_folder(folder, {**sources, **{name: text.encode() for name, text in texts.items()}})


def header(program: Program) -> str:
    """model.h: sizes and weights."""
    lines = definitions(program.model, {a.ctypes.data: a for a in _arrays(program)}, "model")
    return HEADER.format(
        title=title(program), abi=lib.ABI, inputs=program.input_size, outputs=program.output_size,
        stream=program.stream().nbytes, definitions="\n".join(lines),
    )  # fmt: skip


def _arrays(program: Program) -> list[NDArray[Any]]:
    parts = [*program.layers, *([program.readout] if program.readout else [])]
    return [value for part in parts for value in part if isinstance(value, np.ndarray)]
