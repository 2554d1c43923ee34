"""A program as plain C: the files of csrc/, one header with the weights, a command that reads CSV, a Makefile, a README."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeseq.export.folder import check_replaceable, write_folder
from spikeseq.export.footprint import Code, count_code
from spikeseq.export.literals import definitions, descriptor_bytes
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
        **{name: template(name) for name in ("main.c", "Makefile")},
    }
    return write_folder(folder, {**sources, **{name: text.encode() for name, text in texts.items()}})


def header(program: Program) -> str:
    """model.h: sizes and weights."""
    lines = definitions(program.model, {a.ctypes.data: a for a in _arrays(program)}, "model")
    return HEADER.format(
        title=title(program), abi=lib.ABI, inputs=program.input_size, outputs=program.output_size,
        stream=program.stream().nbytes, definitions="\n".join(lines),
    )  # fmt: skip


def title(program: Program) -> str:
    """What the model is, in a line."""
    sizes = [program.input_size, *(len(layer.recurrent_rows) for layer in program.layers)]
    after = f", readout {program.output_size}" if program.readout else ""
    own = program.settings
    return f"Spiking network {' -> '.join(map(str, sizes))}{after}, T = {own.time_steps}, {own.weights} weights."


def readme(program: Program, code: Code | None) -> str:
    """README.md of the folder, with what the model needs, counted."""
    mean = program.readout is not None and program.readout.pooling == "mean"
    meaning = (
        "the readout of the mean so far" if mean else "the readout" if program.readout else "sum of the spikes / T"
    )
    integers = "\nBehind the input product there are only additions, comparisons and shifts of 32-bit integers."
    return Template(template("README.md")).substitute(
        model=title(program), version=version("spikeseq"), inputs=program.input_size, outputs=program.output_size,
        output=meaning, flash=_rows(flash(program, code)), ram=_rows(ram(program, code)), code=_note(code),
        integers=integers if program.settings.weights == "int8" else "",
    )  # fmt: skip


def flash(program: Program, code: Code | None) -> Mapping[str, int]:
    """Bytes that may lie in flash, by what they are."""
    structs = descriptor_bytes(program.model)
    counted = {"flash: weights": program.nbytes, "flash: descriptors, pointers as here": structs}
    return {**counted, "flash: code of spikeseq": code.flash} if code else counted


def ram(program: Program, code: Code | None) -> Mapping[str, int]:
    """Bytes of RAM, by what they are."""
    return {
        "RAM: buffer of each stream": program.stream().nbytes,
        "RAM: struct of each stream, pointers as here": ctypes.sizeof(lib.StreamC),
        "RAM: input and output": 4 * (program.input_size + program.output_size),
        **({"RAM: variables of spikeseq": code.ram} if code else {}),
        **({"RAM: stack, deepest chain of calls": code.stack} if code and code.stack is not None else {}),
    }


def _rows(counted: Mapping[str, int]) -> str:
    return "\n".join(f"| {name} | {value:,} |" for name, value in counted.items())


def _note(code: Code | None) -> str:
    if code is None:
        return "Code and stack: no compiler was at hand; `make size` counts the code."
    stack = " and its call graph" if code.stack is not None else ""
    return (
        f"Code by `size`{stack}, {code.compiler}. Not in it: `main.c`, the C library (`floorf`, `fabsf`, `frexpf`, `memset`, "
        "`memcpy`). For another CPU: `make size CC=.. SIZE=.. CFLAGS=-Os`."
    )


def _arrays(program: Program) -> list[NDArray[Any]]:
    parts = [*program.layers, *([program.readout] if program.readout else [])]
    return [value for part in parts for value in part if isinstance(value, np.ndarray)]
