"""Models leave for other frameworks' formats, and come from them: ONNX, NIR, networks of snnTorch and SpikingJelly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from spikeseq.errors import ConfigError
from spikeseq.exchange.peers import JellyNeuron, from_snntorch, from_spikingjelly
from spikeseq.ops.neuron import Reset

if TYPE_CHECKING:
    from spikeseq.exchange.nir.read import Imported
    from spikeseq.exchange.onnx.write import Form

__all__ = ["JellyNeuron", "from_nir", "from_snntorch", "from_spikingjelly", "to_nir", "to_onnx"]


def to_onnx(
    model: nn.Module, path: str | Path | None = None, form: Form = "step", element_shape: Sequence[int] | None = None
) -> Any:
    """See :func:`spikeseq.exchange.onnx.write.to_onnx`. Raises ConfigError where onnx is not installed."""
    try:
        from spikeseq.exchange.onnx import write
    except ModuleNotFoundError as error:
        raise _missing(error, "onnx") from error
    return write.to_onnx(model, path, form, element_shape)


def to_nir(
    model: nn.Module,
    path: str | Path | None = None,
    element_shape: Sequence[int] | None = None,
    dt: float | None = None,
    fold_thresholds: bool = False,
) -> Any:
    """See :func:`spikeseq.exchange.nir.write.to_nir`; ``dt`` None: 1e-4. Raises ConfigError where nir is not installed."""
    try:
        from spikeseq.exchange.nir import write
    except ModuleNotFoundError as error:
        raise _missing(error, "nir") from error
    return write.to_nir(model, path, element_shape, write.DT if dt is None else dt, fold_thresholds)


def from_nir(source: Any, dt: float | None = None, reset: Reset | None = None) -> Imported:
    """See :func:`spikeseq.exchange.nir.read.from_nir`. Raises ConfigError where nir is not installed."""
    try:
        from spikeseq.exchange.nir import read
    except ModuleNotFoundError as error:
        raise _missing(error, "nir") from error
    return read.from_nir(source, dt, reset)


def _missing(error: ModuleNotFoundError, extra: str) -> ConfigError:
    return ConfigError(f"{error.name} is not installed: pip install 'spikeseq[{extra}]'")
