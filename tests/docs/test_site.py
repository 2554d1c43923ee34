"""The documentation site: what the navigation names is there, and its figures are those of the records."""

import re
from pathlib import Path

import pytest
import yaml

from spikeseq.report.record import read_records
from spikeseq.report.table import summarise

ROOT = Path(__file__).parents[2]
MADE = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}  # docs/hooks.py
ROW = re.compile(r"^\| (\w+/\w+) \| ([-\d]+) \| ([\d.]+) \| ([-\d.]+) \|$", re.M)


def pages(entry) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    return [page for part in (entry.values() if isinstance(entry, dict) else entry) for page in pages(part)]


def test_the_navigation_names_pages_that_are_there():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    named = pages(settings["nav"])
    assert {"index.md", "tutorial.md", "api.md"} <= set(named)
    for page in named:
        assert (ROOT / MADE.get(page, f"docs/{page}")).is_file(), page


@pytest.mark.parametrize("row", ROW.findall((ROOT / "docs" / "choose.md").read_text()), ids=lambda row: row[0])
def test_figures_of_choose_are_those_of_the_records(row):
    name, steps, accuracy, rate = row
    (found,) = [
        r
        for r in summarise(read_records(ROOT / "results" / name), ["test_accuracy", "spike_rate"])
        if r["kind"] == "train"
    ]
    assert steps == str(found["time_steps"] or "-")
    # the page rounds, and a record may be made again: half a standard deviation more or less is no other story
    assert float(accuracy) == pytest.approx(100 * found["test_accuracy"].mean, abs=0.3)
    assert (
        rate == "-" if found["spike_rate"] is None else float(rate) == pytest.approx(found["spike_rate"].mean, abs=0.02)
    )


ACCURACIES = re.compile(r"^\| (\w+/\w+) \| ([\d.]+) \| ([\d.]+) \| [\d,]+ \|$", re.M)


PAGES = "".join((ROOT / "docs" / page).read_text() for page in ("membrane.md", "speech.md"))


TRANSLATED = re.compile(
    r"^\| .*\(`(\w+)`\)\**\s*\| ([\d.]+) \| ([\d.]+) \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \| (\d+) \| (\d+) \| (\d+) \|$",
    re.M,
)


@pytest.mark.parametrize(
    "row", TRANSLATED.findall((ROOT / "docs" / "translation.md").read_text()), ids=lambda row: row[0]
)
def test_figures_of_translation_are_those_of_the_records(row):
    name, bleu, greedy, parameters, macs, acs, *energy = row
    (record,) = read_records(ROOT / "results" / "multi30k" / name)  # one seed, as the page says
    found = record.metrics
    assert float(bleu) == pytest.approx(found["test_bleu"], abs=0.005)
    assert float(greedy) == pytest.approx(found["test_bleu_greedy"], abs=0.005)
    assert int(parameters.replace(",", "")) == found["parameters"]
    counted = [found["macs_per_sentence"], found["acs_per_sentence"]]
    assert [float(macs), float(acs)] == pytest.approx([value / 1e6 for value in counted], abs=0.05)
    prices = [found[f"energy_{name}_per_sentence_pj"] for name in ("fp32", "int32", "int32_sram")]
    assert [float(price) for price in energy] == pytest.approx([price / 1e6 for price in prices], abs=0.5)


@pytest.mark.parametrize("row", ACCURACIES.findall(PAGES), ids=lambda row: row[0])
def test_figures_of_systems_are_those_of_the_records(row):
    name, test, valid = row
    (found,) = summarise(read_records(ROOT / "results" / name), ["test_accuracy", "valid_accuracy"])
    assert float(test) == pytest.approx(100 * found["test_accuracy"].mean, abs=0.01)
    assert float(valid) == pytest.approx(100 * found["valid_accuracy"].mean, abs=0.01)


GAINS = re.compile(r"^\| (\w+/\w+) \| ([\d.]+) \| ([-\d.]+) \| ([-\d.]+) \| ([-\d.]+) \|$", re.M)


@pytest.mark.parametrize("row", GAINS.findall((ROOT / "README.md").read_text()), ids=lambda row: row[0])
def test_figures_of_the_readme_are_those_of_the_records(row):
    name, test, *gains = row
    keys = ["test_accuracy", "gain_fp32", "gain_int32", "gain_int32_sram"]
    (found,) = [r for r in summarise(read_records(ROOT / "results" / name), keys) if r["kind"] == "train"]
    assert found["n"] == 3
    assert float(test) == pytest.approx(100 * found["test_accuracy"].mean, abs=0.01)
    for key, gain in zip(keys[1:], gains, strict=True):
        assert gain == "-" if found[key] is None else float(gain) == pytest.approx(found[key].mean, abs=0.06)


def test_the_tables_were_found():
    assert len(GAINS.findall((ROOT / "README.md").read_text())) >= 8
    assert len(ACCURACIES.findall(PAGES)) >= 4
    assert len(TRANSLATED.findall((ROOT / "docs" / "translation.md").read_text())) >= 5
    assert len(ROW.findall((ROOT / "docs" / "choose.md").read_text())) >= 8
