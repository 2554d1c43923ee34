"""README.md of an exported folder: what the model is, and what it needs, counted."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from importlib.metadata import version
from string import Template

from spikeseq.export.footprint import Code
from spikeseq.export.literals import descriptor_bytes
from spikeseq.export.sources import template
from spikeseq.runtime import Program
from spikeseq.runtime import library as lib
from spikeseq.runtime.arrays import CODED

OUTPUTS = {
    None: "sum of the spikes / T", "last": "readout of the element", "mean": "mean of the readouts so far",
    "sum": "sum of the readouts so far",
}  # fmt: skip
OF_VALUES = {**OUTPUTS, None: "values sent", "mean": "readout of the mean so far", "sum": "readout of the sum so far"}


def readme(program: Program, code: Code | None) -> str:
    """Text of the page."""
    pooling = program.readout.pooling if program.readout else None
    outputs = OF_VALUES if program.settings.kind in CODED else OUTPUTS
    counted = {**flash(program, code), **ram(program, code)}
    return Template(template("README.md")).substitute(
        model=title(program), version=version("spikeseq"), inputs=program.input_size, outputs=program.output_size,
        output=outputs[pooling], code=_note(code),
        bytes="\n".join(f"| {name} | {value:,} |" for name, value in counted.items()),
    )  # fmt: skip


def title(program: Program) -> str:
    """What the model is, in a line."""
    own = program.settings
    sizes = " -> ".join(map(str, [program.input_size, *program.hidden_sizes]))
    after = f", readout {program.output_size}" if program.readout else ""
    sent = f"{int(own.code_scale + 0.5)} levels" if own.kind in CODED else f"T = {own.time_steps}"
    return f"Spiking network {sizes}{after}: {own.kind}, {sent}, {own.input_code} input, {own.weights} weights."


def flash(program: Program, code: Code | None) -> Mapping[str, int]:
    """Bytes that may lie in flash, by what they are."""
    counted = {
        "flash: weights": program.nbytes,
        "flash: descriptors, pointers as here": descriptor_bytes(program.model),
    }
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


def _note(code: Code | None) -> str:
    if code is None:
        return "Code and stack: not counted, no compiler was at hand; `make size` counts the code."
    stack = " and its call graph" if code.stack is not None else ""
    return (
        f'"Here" is the machine that exported: pointers of {ctypes.sizeof(ctypes.c_void_p)} bytes. '
        f"Code by `size`{stack}, {code.compiler}. Not in it: `main.c`, `csv.c` and the C "
        "library's functions for memory, rounding and exp. CC and SIZE, set for the export, count for another CPU."
    )
