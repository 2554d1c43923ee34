"""Prices: every number of the published tables, hand-priced counts, the memory line, user tables and their errors."""

import json

import pytest
import torch

import spikeseq.nn as snn
from spikeseq.energy import Counts, LayerCount, PriceTable, count, price, read_table
from spikeseq.errors import ConfigError

# Horowitz (2014), 45 nm: MAC and AC in pJ
PUBLISHED = {"fp32": (4.6, 0.9), "fp16": (1.5, 0.4), "int32": (3.2, 0.1), "int8": (0.23, 0.03)}


def counts(elements=1.0, **fields):
    return Counts((LayerCount("layer", elements=elements, **fields),), elements)


@pytest.mark.parametrize("form", PUBLISHED)
def test_published_prices(form):
    mac, ac = PUBLISHED[form]
    assert price(counts(macs=1), form).pj_per_element == pytest.approx(mac)
    for field in ("acs", "gated_adds", "neuron_updates", "comparisons"):
        assert price(counts(**{field: 1}), form).pj_per_element == pytest.approx(ac)
    assert price(counts(macs=3, acs=5, elements=4), form).pj_per_element == pytest.approx((3 * mac + 5 * ac) / 4)
    assert price(counts(spikes=9, weight_reads=9, state_reads=9), form).pj_per_element == 0  # arithmetic only


def test_narrow_products():
    # 2-bit operand in int32: 2 of 32 rows of the multiplier's adders, and the addition
    assert price(counts(macs=1, low_macs=1, low_bits=2), "int32").pj_per_element == pytest.approx(0.1 + 3.1 * 2 / 32)
    assert price(counts(macs=1, low_macs=1, low_bits=2), "fp32").pj_per_element == pytest.approx(0.9 + 3.7 * 2 / 24)
    assert price(counts(macs=2, low_macs=1, low_bits=1), "int8").pj_per_element == pytest.approx(0.23 + 0.03 + 0.2 / 8)
    # 8 by 8 bit into 32 bits: the same in every format
    for form in PUBLISHED:
        assert price(counts(macs=1, int8_macs=1), form).pj_per_element == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("size", "pj"),
    [
        (1, 10),
        (8 * 1024, 10),
        (20 * 1024, 15),
        (32 * 1024, 20),
        (528 * 1024, 60),
        (1 << 20, 100),
        ((2 << 20) - (32 << 10), 180),
    ],
)
def test_access_by_size(size, pj):
    assert PriceTable().access(size) == pytest.approx(pj)


def test_memory():
    # 2048 words of 32 bits are 8 KB; a word is half of 64 bits
    small = counts(weight_reads=3, weight_words=2048, state_reads=2, state_writes=1, state_words=8192)
    assert price(small, "fp32", "sram").pj_per_element == pytest.approx(3 * 10 / 2 + 3 * 20 / 2)
    assert price(small, "int8", "sram").pj_per_element == pytest.approx((3 * 10 + 3 * 10) / 8)
    assert price(small, "fp32").pj_per_element == 0


def test_an_lstm_by_hand():
    """H = 4, I = 3: 4 H (I + H) + 3 H MACs, each weight once, small memories."""
    model, x = torch.nn.LSTM(3, 4), torch.randn(5, 2, 3)
    macs, words = 4 * 4 * 7 + 12, 4 * 4 * 7 + 16
    assert price(count(model, x), "int32").pj_per_element == pytest.approx(3.2 * macs)
    accesses = words + (3 + 4 + 4) + (4 + 4)
    assert price(count(model, x), "int32", "sram").pj_per_element == pytest.approx(3.2 * macs + 5 * accesses)


def test_layers_add_up_and_values_are_plain():
    found = price(count(snn.SpikingLSTM(3, 4, 2), torch.randn(5, 2, 3)), "fp32", "sram")
    assert [layer.name for layer in found.per_layer] == ["l0", "l1"]
    assert found.pj_per_element == pytest.approx(sum(layer.total for layer in found.per_layer))
    assert json.loads(json.dumps(found.to_dict()))["pj_per_element"] == found.pj_per_element
    assert all(layer.memory > 0 and layer.acs > 0 and layer.other > 0 for layer in found.per_layer)
    assert (found.per_layer[0].macs > 0, found.per_layer[1].macs) == (True, 0)


def test_a_table_of_ones_own(tmp_path):
    path = tmp_path / "prices.yaml"
    path.write_text(
        "name: 22 nm\nformats: {int8: {add: 0.01, multiply: 0.05, word_bits: 8, product_bits: 8}}\n"
        "int8_mac: 0.1\nsram: [[8192, 4], [32768, 8]]\n"
    )
    table = read_table(path)
    assert price(counts(macs=1), "int8", table=table).pj_per_element == pytest.approx(0.06)
    assert price(counts(macs=1, int8_macs=1), "fp32", table=table).pj_per_element == pytest.approx(0.1)
    assert price(counts(macs=1), "fp32", table=table).pj_per_element == pytest.approx(4.6)  # left out: as it was
    assert table.access(65536) == pytest.approx(8 + 4 * 32 / 24)
    assert price(counts(macs=1), "int8", table=table).table == "22 nm"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("formts: {}", "unknown key 'formts'; did you mean 'formats'"),
        ("- 1", "holds no mapping"),
        ("a: [", "not valid YAML"),
        ("int8_mac: " + "1" * 5000, "not valid YAML"),
        ("formats: {int8: {ad: 1}}", "unexpected keyword argument 'ad'"),
        ("formats: {int8: {add: -1, multiply: 1, word_bits: 8, product_bits: 8}}", "positive numbers"),
        ("formats: {int8: {add: .nan, multiply: 1, word_bits: 8, product_bits: 8}}", "positive numbers"),
        ("formats: {int8: {add: cheap, multiply: 1, word_bits: 8, product_bits: 8}}", "positive numbers"),
        ("sram: [[8192, 4]]", "two sizes or more"),
        ("sram: [[8192, 4], [4096, 8]]", "rising order"),
        ("sram: [[8192, 4], [8192, 8]]", "rising order"),
        ("sram: [[8192, 8], [32768, 4]]", "a larger one no cheaper"),
        ("sram: 3", "not iterable"),
        ("int8_mac: much", "could not convert"),
    ],
)
def test_broken_tables(tmp_path, text, words):
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_table(path)
    with pytest.raises(ConfigError, match="does not exist"):
        read_table(tmp_path / "missing.yaml")


def test_unknown_format_or_memory():
    with pytest.raises(ConfigError, match="format='fp23': did you mean 'fp32'"):
        price(counts(macs=1), "fp23")
    with pytest.raises(ConfigError, match="memory='dram': did you mean 'sram'"):
        price(counts(macs=1), "fp32", "dram")
