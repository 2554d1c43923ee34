"""A file of every format that is read, damaged at random: an error of spikeseq's own or something sound."""

import random
import resource
import sys
from pathlib import Path

import pytest

from spikeseq.errors import ConfigError, DataError
from spikeseq.train.recipe import read_recipe

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from damage import KINDS, NUMBERS, damage, damaged, same

formats = pytest.importorskip("parsers", exc_type=ImportError)  # nir, soundfile and others of the extras
sys.path.pop(0)

MOST = 2 * 2**20  # KiB that a reader of small files may add


def test_every_format(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = formats.fuzz(tmp_path, 60, random.Random(7))
    assert [row for row in rows if row["good"] != row["tried"]] == []
    assert len(rows) >= 23
    assert all(row["clear error"] for row in rows), rows  # the damage does damage
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST


def test_every_format_reads_as_written(tmp_path):
    for parser in formats.parsers(tmp_path):
        found = parser.read(parser.path)
        assert same(parser.read(parser.path), found), parser.what
        assert parser.sound is None or parser.sound(found), parser.what


def test_all_kinds_of_damage_are_done():
    original = "".join(f"key{k}: {k * 7}\n" for k in range(20)).encode()
    chance = random.Random(0)
    copies = [damage(original, chance) for _ in range(400)]
    assert sum(copy == original for copy in copies) < 40
    assert any(len(copy) < len(original) / 2 for copy in copies)
    assert all(any(number.encode() in copy for copy in copies) for number in NUMBERS)
    assert len(KINDS) == len(set(KINDS))


def test_other_errors_and_unsound_values_are_counted(tmp_path):
    """The harness itself: a reader that lets anything pass, one that breaks, one that is right."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(64)))

    def breaks(path):
        return path.read_bytes().index(bytes(range(60)))  # ValueError

    def right(path):
        if path.read_bytes() != bytes(range(64)):
            raise DataError("damaged")
        return 0

    chance = random.Random(0)
    anything = damaged("x", path, Path.read_bytes, 50, chance)
    assert (anything["good"] < 10, anything["read otherwise"] > 40) == (True, True)
    assert damaged("x", path, Path.read_bytes, 50, chance, lambda found: len(found) == 64)["unsound"] > 5
    assert damaged("x", path, breaks, 50, chance)["other error"] > 30
    assert damaged("x", path, right, 50, chance)["good"] == 50
    assert path.read_bytes() == bytes(range(64))


@pytest.mark.parametrize(
    "text", ["train: {epochs: " + "1" * 5000 + "}", "[" * 3000, "a: 2024-99-99"], ids=["digits", "depth", "date"]
)
def test_yaml_that_breaks_the_parser(tmp_path, text):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"recipe .*r\.yaml' is not valid YAML"):
        read_recipe(tmp_path / "r.yaml")
