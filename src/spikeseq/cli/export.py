"""``spikeseq export``: a trained model leaves Python."""

from __future__ import annotations

from typing import Literal

from rich.console import Console

from spikeseq.errors import ConfigError
from spikeseq.export.c import export_c
from spikeseq.nn.checkpoint import load_model
from spikeseq.runtime import compile

console = Console(soft_wrap=True, markup=False, highlight=False)


def export(
    target: Literal["c"], checkpoint: str, out: str = "runs/export", weights: Literal["float32", "int8"] = "float32"
) -> None:
    """Write a spiking model as C11 files that build with a Makefile; README.md in the folder says what flash and RAM it needs.

    Args:
        target: what to write: c
        checkpoint: model file (runs/X/model.pt) of a spiking or quantised LSTM
        out: folder for the files; an earlier export in it is replaced, a folder with anything else is refused
        weights: float32 or int8
    """
    model = load_model(checkpoint)[0]
    try:
        program = compile(model, weights)
    except ConfigError as error:
        raise ConfigError(
            f"checkpoint {checkpoint!r}: {error}; spikeseq convert makes a spiking model of an LSTM"
        ) from error
    export_c(program, out)
    console.print(f"weights: {program.nbytes:,} bytes; each stream: {program.stream().nbytes:,} bytes")
    console.print(f"written: {out}; build it with: make -C {out}")
