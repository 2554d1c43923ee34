"""``spikeseq export``: a trained model leaves Python, or leaves for another framework."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rich.console import Console
from torch import nn

from spikeseq.errors import ConfigError
from spikeseq.exchange import to_nir, to_onnx
from spikeseq.export.c import export_c
from spikeseq.nn.layers_file import AnyFile, load_any
from spikeseq.runtime import compile

console = Console(soft_wrap=True, markup=False, highlight=False)
SUFFIXES = {"onnx": ".onnx", "nir": ".nir"}


def export(
    target: Literal["c", "onnx", "nir"],
    checkpoint: str,
    out: str | None = None,
    weights: Literal["float32", "int8"] = "float32",
    whole: bool = False,
    step: bool = False,
    dt: float | None = None,
    fold_thresholds: bool = False,
) -> None:
    """Write a model as C11 files that build with a Makefile, as an ONNX file, or as a NIR graph.

    Args:
        target: what to write: c (spiking models), onnx (any) or nir (LIF, IF and CubaLIF networks)
        checkpoint: model file (runs/X/model.pt)
        out: c: folder (runs/export), a folder with anything but an earlier export is refused; else file (runs/model.onnx, .nir)
        weights: float32 or int8; c only
        whole: onnx: whole sequences, not one element
        step: onnx: one element with its state in and out (this is the default)
        dt: nir: seconds of an element; 1e-4 if left out
        fold_thresholds: nir: thresholds of channels go into the weights, as snnTorch and SpikingJelly need it
    """
    if target != "c" and weights != "float32":
        raise ConfigError(f"weights={weights!r} with export {target}: only c takes it; leave it out")
    if (target != "onnx" and (whole or step)) or (whole and step):
        raise ConfigError(f"whole={whole}, step={step} with export {target}: onnx takes one of the two, others none")
    if target != "nir" and dt is not None:
        raise ConfigError(f"dt={dt} with export {target}: only nir has seconds; leave it out")
    if target != "nir" and fold_thresholds:
        raise ConfigError(f"fold_thresholds=True with export {target}: only nir takes it; leave it out")
    if out and Path(out).suffix in SUFFIXES.values() and Path(out).suffix != SUFFIXES.get(target):
        raise ConfigError(f"out={out!r} with export {target}: its end says another format; choose another name")
    found = load_any(checkpoint)
    try:
        if target == "c":
            _c(found.model, out or "runs/export", weights)
        elif target == "onnx":
            _onnx(found, out or "runs/model.onnx", whole)
        else:
            _nir(found, out or "runs/model.nir", dt, fold_thresholds)
    except ConfigError as error:
        raise ConfigError(f"checkpoint {checkpoint!r}: {error}") from error


def _c(model: nn.Module, out: str, weights: Literal["float32", "int8"]) -> None:
    program = compile(model, weights)
    export_c(program, out)
    console.print(f"weights: {program.nbytes:,} bytes; each stream: {program.stream().nbytes:,} bytes")
    console.print(f"written: {out}; build it with: make -C {out}")


def _onnx(found: AnyFile, out: str, whole: bool) -> None:
    made = to_onnx(found.model, out, "whole" if whole else "step", found.element_shape)
    for label, values in (("inputs", made.graph.input), ("outputs", made.graph.output)):
        shapes = [[d.dim_param or str(d.dim_value) for d in v.type.tensor_type.shape.dim] for v in values]
        shown = (f"{v.name} [{', '.join(shape)}]" for v, shape in zip(values, shapes, strict=True))
        console.print(f"{label}: {', '.join(shown)}")
    console.print(f"written: {out}, {made.ByteSize():,} bytes")


def _nir(found: AnyFile, out: str, dt: float | None, fold_thresholds: bool) -> None:
    graph = to_nir(found.model, out, found.element_shape, dt, fold_thresholds)
    console.print(f"nodes: {', '.join(f'{name} {type(node).__name__}' for name, node in graph.nodes.items())}")
    if graph.metadata["reset"] == "subtract":
        console.print(
            "reset by subtraction stands in the metadata: NIR's own neurons reset to v_reset (docs/exchange.md)"
        )
    if graph.metadata["readout"] == "mean":
        console.print("the output is a sum: divide it by the number of elements")
    console.print(f"written: {out}")
