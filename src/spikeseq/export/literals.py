"""A descriptor of runtime/library.py, with all it points to, as C: exact numbers, initialisers by field name.

The ctypes structures say every field's name, type and order, so nothing about a layer is written here a second time.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from spikeseq.runtime import library as lib

STRUCTS: dict[Any, str] = {
    lib.ModelC: "spikeseq_model",
    lib.LayerC: "spikeseq_layer",
    lib.LayerInt8C: "spikeseq_layer_int8",
}
NUMBERS = {
    "float32": "float", "int8": "int8_t", "int16": "int16_t", "int32": "int32_t", "uint8": "uint8_t",
    "uint16": "uint16_t", "uint32": "uint32_t",
}  # fmt: skip
PER_LINE = {1: 20, 2: 12, 4: 6}  # values, by their bytes
_ZEROS = re.compile(r"\.?0*(p[+-]\d+)")


def definitions(model: lib.ModelC, arrays: Mapping[int, NDArray[Any]], name: str) -> Iterator[str]:
    """Yield the lines that define ``model`` as the constant ``name``, what it points to before it.

    arrays  address -> array, of every array that the model points to
    """
    members = yield from _struct(model, arrays, name, model.num_layers)
    yield f"static const {STRUCTS[type(model)]} {name} = {{"
    yield from (f"    {member}," for member in members)
    yield "};"


def descriptor_bytes(model: lib.ModelC) -> int:
    """Bytes of the structures, without the arrays, with this machine's pointers."""
    size, layers = ctypes.sizeof(model), int(model.num_layers)
    for field, kind in model._fields_:
        pointed: Any = getattr(kind, "_type_", None)
        if pointed in STRUCTS and getattr(model, field):
            size += layers * ctypes.sizeof(pointed)
    return size


def _struct(value: Any, arrays: Mapping[int, NDArray[Any]], name: str, layers: int) -> Any:
    """Yield the definitions that a structure needs; return its members' initialisers."""
    members = []
    for field, kind in value._fields_:
        member = getattr(value, field)
        pointed = getattr(kind, "_type_", None)
        if isinstance(member, float):
            text = float_literals([member])
        elif isinstance(member, int):
            text = f"{member}u"
        elif not member:
            text = "NULL"
        elif pointed in STRUCTS:
            text = f"{name}_{field}"
            values = []
            for number in range(layers):
                values.append((yield from _struct(member[number], arrays, f"{name}_layer{number}", layers)))
            yield f"static const {STRUCTS[pointed]} {text}[{layers}] = {{"
            for one in values:
                yield f"    {{{one[0]},"
                yield from (f"     {member}," for member in one[1:])
                yield "    },"
            yield "};\n"
        else:
            text = f"{name}_{field}"
            yield from _array(arrays[ctypes.cast(member, ctypes.c_void_p).value or 0], text)
        members.append(f".{field} = {text}")
    return members


def _array(array: NDArray[Any], name: str) -> Iterator[str]:
    """Yield the definition of an array; its shape is a comment, C sees it flat."""
    shape = "".join(f"[{size}]" for size in array.shape)
    yield f"static const {NUMBERS[array.dtype.name]} {name}[{array.size}] = {{ /* {shape} */"
    values, step = array.ravel(), PER_LINE[array.itemsize]
    for start in range(0, array.size, step):
        part = values[start : start + step].tolist()
        yield f"    {float_literals(part) if array.dtype.kind == 'f' else ', '.join(map(str, part))},"
    yield "};\n"


def float_literals(values: list[float]) -> str:
    """Each float32 exactly, whatever the compiler's decimal conversion: hexadecimal, C11 6.4.4.2."""
    return _ZEROS.sub(r"\1f", ", ".join(map(float.hex, values)))
