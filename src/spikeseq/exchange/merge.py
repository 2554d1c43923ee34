"""Recordings of one function at several batch sizes and lengths -> one graph in which these are free.

A whole number that is not the same in all recordings must be ``k B``, ``k L``, ``k B L``, ``B + k`` or ``L + k``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from spikeseq.errors import ConversionError
from spikeseq.exchange.graph import Graph, Size

SIZES = ((3, 7), (5, 7), (3, 11))  # (B, L) of the recordings
PRODUCTS = {"B": (3, 5, 3), "L": (7, 7, 11), "BL": (21, 35, 33)}


def merge(graphs: Sequence[Graph]) -> Graph:
    """One graph of the recordings at SIZES. Raises ConversionError where they differ in more than sizes."""
    merged: Graph = _merge(list(graphs))
    return merged


def _merge(values: list[Any]) -> Any:
    first = values[0]
    if any(type(v) is not type(first) for v in values):
        raise ConversionError("the operations depend on the batch size or the length: no graph can follow")
    if isinstance(first, Tensor):
        return _constant(values)
    if isinstance(first, list | tuple) and not dataclasses.is_dataclass(first):
        if len({len(v) for v in values}) > 1:
            raise ConversionError(
                "the number of operations depends on the batch size or the length: no graph can follow"
            )
        made = [_merge(list(column)) for column in zip(*values, strict=True)]
        return tuple(made) if isinstance(first, tuple) else made
    if isinstance(first, dict):
        return {key: _merge([v[key] for v in values]) for key in first}
    if dataclasses.is_dataclass(first) and type(first).__module__ == Graph.__module__:
        fields = {f.name: _merge([getattr(v, f.name) for v in values]) for f in dataclasses.fields(first)}
        return dataclasses.replace(first, **fields)  # type: ignore[type-var]
    return _number(values) if any(v != first for v in values) else first


def _constant(values: list[Tensor]) -> Tensor:
    if not all(v.shape == values[0].shape and torch.equal(v, values[0]) for v in values):
        raise ConversionError("a constant depends on the batch size or the length: no graph can follow")
    return values[0]


def _number(values: list[Any]) -> Size:
    for of, products in PRODUCTS.items():
        factor = values[0] // products[0] if isinstance(values[0], int) else 0
        if factor and list(values) == [factor * p for p in products]:
            return Size(of, factor)  # type: ignore[arg-type]
        offset = values[0] - products[0]
        if of != "BL" and list(values) == [p + offset for p in products]:
            return Size(of, 1, offset)  # type: ignore[arg-type]
    raise ConversionError(
        f"a number ({values[0]}, {values[1]}, {values[2]}) follows the batch size or length in no known way"
    )
