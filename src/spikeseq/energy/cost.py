r"""Prices: counted operations -> picojoules.

Arithmetic, 45 nm, 0.9 V, energy of one operation in pJ::

    format   addition   multiplication   MAC = sum
    fp32     0.9        3.7              4.6
    fp16     0.4        1.1              1.5
    int32    0.1        3.1              3.2
    int8     0.03       0.2              0.23

    full-width MAC     addition + multiplication
    b-bit operand      addition + multiplication b / w           w: significand bits (fp32 24, fp16 11) or word bits
    8-bit MAC          int8 multiplication + int32 addition, in every format
    everything else    addition: ACs, gated adds, neuron updates, comparisons

Memory (``memory="sram"``): an access to 64 bits costs 10 pJ in 8 KB, 20 pJ in 32 KB, 100 pJ in 1 MB, linear between, 10 pJ
below, and on in the same line above; a word costs its share of 64 bits. Each layer has one memory for weights and one
for state (inputs, states, accumulators, spike addresses), each as large as what it holds.

Sources: M. Horowitz, "Computing's energy problem", ISSCC 2014 (arithmetic and SRAM); E. Lemaire et al., "An analytical
estimation of spiking neural networks energy efficiency", ICONIP 2022, arXiv:2210.13107 (memory model). The share of a b-bit
product (an array multiplier has one row of adders for each bit) and of a word are this project's.
Not priced: sigmoid and tanh, control, leakage of the chip, DRAM; the first favours float networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from spikeseq.energy.counts import Counts, LayerCount
from spikeseq.errors import ConfigError, nearest
from spikeseq.mapping import read_mapping

Memory = Literal["none", "sram"]


@dataclass(frozen=True)
class Arithmetic:
    """Prices of one number format in pJ."""

    add: float
    multiply: float
    word_bits: int
    product_bits: int  # that an array multiplier works on


@dataclass(frozen=True)
class PriceTable:
    """Prices of all formats, and of an access to 64 bits of memory by its size: ``((bytes, pJ), ..)``."""

    name: str = "Horowitz 2014, 45 nm"
    formats: Mapping[str, Arithmetic] = field(
        default_factory=lambda: {
            "fp32": Arithmetic(0.9, 3.7, 32, 24),
            "fp16": Arithmetic(0.4, 1.1, 16, 11),
            "int32": Arithmetic(0.1, 3.1, 32, 32),
            "int8": Arithmetic(0.03, 0.2, 8, 8),
        }
    )
    int8_mac: float = 0.2 + 0.1
    sram: tuple[tuple[float, float], ...] = ((8 * 1024, 10.0), (32 * 1024, 20.0), (1024 * 1024, 100.0))

    def access(self, size: float) -> float:
        """PJ for 64 bits of a memory of ``size`` bytes."""
        if size <= self.sram[0][0]:
            return self.sram[0][1]
        pairs = list(zip(self.sram, self.sram[1:], strict=False))
        (low, cheap), (high, dear) = next((pair for pair in pairs if size <= pair[1][0]), pairs[-1])
        return cheap + (dear - cheap) * (size - low) / (high - low)


@dataclass(frozen=True)
class LayerPrice:
    """Energy of one layer in pJ for each sequence element of the model."""

    name: str
    macs: float
    acs: float
    other: float  # gated adds, neuron updates, comparisons
    memory: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.macs + self.acs + self.other + self.memory


@dataclass(frozen=True)
class Price:
    """Energy of a model in pJ for each sequence element."""

    format: str
    memory: Memory
    table: str
    per_layer: tuple[LayerPrice, ...]

    @property
    def pj_per_element(self) -> float:
        """PJ for each sequence element, all layers together."""
        return sum(layer.total for layer in self.per_layer)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "pj_per_element": self.pj_per_element}


def price(counts: Counts, format: str = "fp32", memory: Memory = "none", table: PriceTable | None = None) -> Price:
    """Price counted operations.

    format  fp32, fp16, int32 or int8;  memory  "none": arithmetic only, "sram": with memory access
    Raises ConfigError for a format that the table has not, or another kind of memory.
    """
    table = table or PriceTable()
    if format not in table.formats:
        raise ConfigError(f"format={format!r}: {nearest(format, table.formats)}")
    if memory not in ("none", "sram"):
        raise ConfigError(f"memory={memory!r}: {nearest(str(memory), ('none', 'sram'))}")
    layers = tuple(_layer(layer, counts.elements, table, format, memory == "sram") for layer in counts.per_layer)
    return Price(format, memory, table.name, layers)


def _layer(c: LayerCount, elements: float, table: PriceTable, format: str, sram: bool) -> LayerPrice:
    p = table.formats[format]
    full = c.macs - c.low_macs - c.int8_macs
    macs = full * (p.add + p.multiply) + c.int8_macs * table.int8_mac
    macs += c.low_macs * p.add + c.low_bits * p.multiply / p.product_bits
    other = (c.gated_adds + c.neuron_updates + c.comparisons) * p.add
    memory = 0.0
    if sram:
        weights, state = (table.access(words * p.word_bits / 8) for words in (c.weight_words, c.state_words))
        memory = (c.weight_reads * weights + (c.state_reads + c.state_writes) * state) * p.word_bits / 64
    return LayerPrice(c.name, *(value / elements for value in (macs, c.acs * p.add, other, memory)))


def read_table(path: str | Path) -> PriceTable:
    """Read prices from YAML; what the file leaves out keeps its price.

    For example::

        name: our 22 nm node
        formats: {int8: {add: 0.007, multiply: 0.07, word_bits: 8, product_bits: 8}}
        int8_mac: 0.1
        sram: [[8192, 4.0], [32768, 8.0], [1048576, 40.0]]

    Raises ConfigError for a missing or broken file, an unknown key, or a price that is no positive number.
    """
    content = read_mapping(path, "price table", "spikeseq.energy.read_table")
    base = PriceTable()
    keys = ("name", "formats", "int8_mac", "sram")
    for key in content:
        if key not in keys:
            raise ConfigError(f"price table {str(path)!r}: unknown key {key!r}; {nearest(str(key), keys)}")
    try:
        formats = {k: Arithmetic(**v) for k, v in content.get("formats", {}).items()}
        sram = tuple((float(size), float(pj)) for size, pj in content.get("sram", base.sram))
        made = replace(
            base, name=str(content.get("name", path)), formats={**base.formats, **formats}, sram=sram,
            int8_mac=float(content.get("int8_mac", base.int8_mac)),
        )  # fmt: skip
        numbers = [
            made.int8_mac,
            *(v for pair in sram for v in pair),
            *(v for f in formats.values() for v in asdict(f).values()),
        ]
        good = all(isinstance(v, int | float) and 0 < v < float("inf") for v in numbers)
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"price table {str(path)!r}: {error}; see spikeseq.energy.read_table") from error
    rising = all(small < large and cheap <= dear for (small, cheap), (large, dear) in pairwise(sram))
    if not good or len(sram) < 2 or not rising:
        raise ConfigError(
            f"price table {str(path)!r}: prices are positive numbers of pJ, and sram needs two sizes or more in rising "
            "order, a larger one no cheaper"
        )
    return made
