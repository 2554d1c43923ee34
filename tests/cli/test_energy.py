"""``spikeseq energy``: what it prints is what energy.compare and energy.price say, for every kind of model file."""

import json
import re
from pathlib import Path

import pytest
from matplotlib.image import imread

from spikeseq.energy import compare, price
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.spiking import as_spiking
from spikeseq.report.record import read_record
from spikeseq.shapes import spaced

STAGES = ("hard", "quantized", "spiking")


@pytest.fixture
def converted(spikeseq, trained):
    """A function: further options of ``spikeseq convert`` -> the model file."""

    def make(*options: str) -> str:
        assert spikeseq("convert", trained / "model.pt", "--out", "snn.pt", *options).code == 0
        return "snn.pt"

    return make


def test_figures_are_those_of_the_library(spikeseq, converted, digits):
    path = converted("--time_steps", "2")
    ran = spikeseq("energy", path, "--sequences", "32", "--out", "e", "--record", "results")
    assert (ran.code, ran.err) == (0, "")
    found = compare(as_spiking(load_model(path)[0]), digits.test.x[spaced(len(digits.test.x), 32)])
    record = read_record("e/energy.json")
    assert read_record("results/digits_rows/lstm_energy/seed0.json") == record
    assert record.metrics["spike_rate"] == pytest.approx(found.spike_rate)
    assert record.metrics["cap"] == pytest.approx(found.cap)
    assert record.metrics["accumulate_only"] is True
    for row in record.metrics["networks"]:
        counts = found.counts[row["network"]]
        for form in ("fp32", "fp16", "int32", "int8"):
            for memory in ("none", "sram"):
                pj = price(counts, form, memory).pj_per_element
                assert row[f"{form}_{memory}_pj"] == pytest.approx(pj)
                assert f"{pj:,.0f}" in ran.out
    assert f"cap set by the first layer (MACs of the LSTM / MACs left): {found.cap:.1f} x" in ran.out
    assert f"spikes for each unit and time step: {found.spike_rate:.3f}" in ran.out
    assert "audit, first layer allowed to multiply: accumulate-only" in ran.out
    assert len(re.findall("break-even spike rate, ", ran.out)) == 8
    assert imread("e/energy.png").std() > 0.05
    assert json.loads(Path("e/energy.json").read_text())["seed"] == 0


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage(spikeseq, converted, stage):
    ran = spikeseq("energy", converted("--stage", stage), "--sequences", "8")
    assert ran.code == 0
    assert ("converted without training" in ran.out) == (stage == "hard")
    for network in ("LSTM", "hard LSTM", "2-level LSTM", "spiking"):
        assert f"│ {network}" in ran.out


def test_float_models_streams_and_encoded_inputs(spikeseq, trained, converted):
    ran = spikeseq("energy", trained / "model.pt", "--time_steps", "4", "--sequences", "8")
    assert "converted without training, T = 4" in ran.out
    assert "│ 4-level LSTM" in ran.out
    assert spikeseq("energy", converted("--scheme", "streams"), "--sequences", "8").code == 0
    ran = spikeseq("energy", converted("--input_encoding", "delta"), "--sequences", "8")
    assert "none: the first layer multiplies nothing in full width" in ran.out
    assert spikeseq("evaluate", "snn.pt").code == 0


def test_own_prices(spikeseq, converted):
    Path("prices.yaml").write_text("formats: {int8: {add: 1, multiply: 1, word_bits: 8, product_bits: 8}}")
    cheap = spikeseq("energy", converted(), "--sequences", "8")
    dear = spikeseq("energy", "snn.pt", "--sequences", "8", "--table", "prices.yaml")
    assert dear.code == 0
    assert dear.out != cheap.out
    Path("prices.yaml").write_text("formts: 1")
    bad = spikeseq("energy", "snn.pt", "--table", "prices.yaml")
    assert (bad.code, bad.out) == (2, "")
    assert "unknown key 'formts'; did you mean 'formats'" in bad.err


def test_nonsense(spikeseq, converted):
    for arguments, words in (
        (["nothing.pt"], "does not exist"),
        ([converted(), "--sequences", "0"], "sequences=0"),
        (["snn.pt", "--table", "nowhere.yaml"], "does not exist"),
    ):
        ran = spikeseq("energy", *arguments)
        assert ran.code == 2
        assert words in ran.err
