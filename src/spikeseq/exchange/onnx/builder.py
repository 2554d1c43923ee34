"""ONNX nodes and constants under names of their own; a loop's body has its own nodes and shares the constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor

from spikeseq.errors import ConversionError
from spikeseq.exchange.graph import Ref, Size

TYPES = {
    torch.float32: onnx.TensorProto.FLOAT, torch.float64: onnx.TensorProto.DOUBLE, torch.int64: onnx.TensorProto.INT64,
    torch.bool: onnx.TensorProto.BOOL,
}  # fmt: skip


class Builder:
    """Collects nodes; values are names."""

    def __init__(self, parent: Builder | None = None) -> None:
        self.nodes: list[Any] = []
        self.names: dict[int, str] = {}  # number of a Ref -> name
        self.constants: dict[tuple[Any, ...], Any] = {} if parent is None else parent.constants
        self.counter: list[int] = [0] if parent is None else parent.counter
        self.sizes: dict[str, str] = {} if parent is None else parent.sizes  # "B", "L", "BL" -> int64 [1]

    def fresh(self, kind: str) -> str:
        """A name that nothing has."""
        self.counter[0] += 1
        return f"{kind.lower()}_{self.counter[0]}"

    def add(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        """Append a node with one output; return its name."""
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, count: int, *inputs: Any, **attributes: Any) -> list[str]:
        """Append a node with several outputs; return their names."""
        outputs = [self.fresh(kind) for _ in range(count)]
        self.nodes.append(helper.make_node(kind, [self.value(x) for x in inputs], outputs, **attributes))
        return outputs

    def value(self, x: Any, dtype: Any = None) -> str:
        """The name of a Ref, of a constant (a tensor or a number, of ``dtype``), or the name itself."""
        if isinstance(x, str):
            return x
        if isinstance(x, Ref):
            return self.names[x.number]
        if isinstance(x, Size):
            return self.add("Cast", self.size(x), to=TYPES[dtype or torch.int64])
        return self.constant(x if isinstance(x, Tensor) else torch.tensor(x, dtype=dtype))

    def constant(self, value: Tensor) -> str:
        """The name of a constant; equal ones are kept once."""
        if value.dtype not in TYPES:
            raise ConversionError(f"a constant is {value.dtype}: ONNX export takes float32 models; model.float()")
        array = np.ascontiguousarray(value.detach().cpu().numpy())
        key = (array.dtype.str, tuple(value.shape), array.tobytes())
        if key not in self.constants:
            self.constants[key] = numpy_helper.from_array(array.reshape(value.shape), self.fresh("constant"))
        return str(self.constants[key].name)

    def integers(self, values: Sequence[Any]) -> str:
        """A list of whole numbers, some of which may be sizes, as int64 ``[k]``."""
        if not any(isinstance(v, Size) for v in values):
            return self.constant(torch.tensor(list(values), dtype=torch.int64))
        parts = [self.size(v) if isinstance(v, Size) else self.integers([v]) for v in values]
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=0)

    def size(self, size: Size) -> str:
        """A size as int64 ``[1]``."""
        name = self.sizes[size.of]
        if size.factor != 1:
            name = self.add("Mul", name, self.integers([size.factor]))
        return self.add("Add", name, self.integers([size.offset])) if size.offset else name
