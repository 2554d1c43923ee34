"""How the first layer of a spiking network takes its input; equations in ops/encode.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from spikeseq.errors import ConfigError, nearest
from spikeseq.ops.encode import MOST, eight_bit_rows, input_counts

InputCode = Literal["direct", "int8", "delta"]
CODES = ("direct", "int8", "delta")


@dataclass(frozen=True)
class InputEncoding:
    """Input code and the number of steps from 0 to the largest value of a feature.

    direct  W x in full precision, once for each element;  int8  8-bit input and weights;  delta  changes as spikes
    """

    code: InputCode = "direct"
    levels: int = MOST

    def options(self) -> dict[str, Any]:
        """Arguments of a layer or cell that takes its input in this way; none for "direct"."""
        return {} if self.code == "direct" else {"input_encoding": self.code, "input_levels": self.levels}

    def extra(self, width: int) -> dict[str, Tensor]:
        """``input_step [I]``, unit of x: for features in [-1, 1] until a conversion fits it to data."""
        return {} if self.code == "direct" else {"input_step": torch.full((width,), 1 / self.levels)}

    def apply(self, x: Tensor, weight: Tensor, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """``x [..., I]``, ``weight [G, I]`` -> what is multiplied: integers and the weights they belong to."""
        if "input_step" not in values:
            return x, weight
        step = values["input_step"]
        scaled = weight * step
        return input_counts(x, step), eight_bit_rows(scaled) if self.code == "int8" else scaled


def input_encoding(code: str, levels: int | None) -> InputEncoding:
    """Check a layer's ``input_encoding`` and ``input_levels`` (None: 127 for int8, 16 for delta)."""
    if code not in CODES:
        raise ConfigError(f"input_encoding={code!r}: {nearest(str(code), CODES)}")
    if code == "direct" and levels is not None:
        raise ConfigError(
            f'input_levels={levels!r}: a direct input has no levels; pass input_encoding="int8" or "delta"'
        )
    most: Any = levels if levels is not None else 16 if code == "delta" else MOST
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MOST:
        raise ConfigError(f"input_levels={levels!r}: pass None or a whole number from 1 to {MOST}")
    return InputEncoding(code, most)  # type: ignore[arg-type]
