"""Numbers of a model as float32 arrays."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError
from spikeseq.runtime.arrays import Array, LayerArrays, ReadoutArrays, Settings

Parts = tuple[Settings, list[LayerArrays], ReadoutArrays | None]  # of a program


def float_array(value: Tensor, name: str) -> Array:
    """A copy in C order. Raises ConfigError where a number is not finite in float32; ``name`` says whose it is."""
    rounded = value.detach().to("cpu", torch.float32)
    if not bool(torch.isfinite(rounded).all()):
        raise ConfigError(f"{name} has a weight that is NaN, infinite or too large for float32")
    return np.array(rounded.numpy(), order="C")


def linear_arrays(linear: nn.Linear, name: str) -> tuple[Array, Array | None]:
    """Rows [I, O] and bias [O]."""
    return float_array(linear.weight.T, name), None if linear.bias is None else float_array(linear.bias, name)
