"""A file of every format that is read, damaged at random: an error of spikeseq's own or something sound."""

import random
import sys
from pathlib import Path

import pytest

from spikeseq.errors import ConfigError, DataError
from spikeseq.train.recipe import read_recipe

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from damage import KINDS, NUMBERS, WORDS, damage, damaged, same

formats = pytest.importorskip("parsers", exc_type=ImportError)  # nir, soundfile and others of the extras
sys.path.pop(0)


def test_every_format(tmp_path):
    rows = formats.fuzz(tmp_path, 60, random.Random(7))
    assert [row for row in rows if row["good"] != row["tried"]] == []
    assert len(rows) >= 23
    assert all(row["clear error"] for row in rows), rows  # the damage does damage


def test_every_format_reads_as_written(tmp_path):
    for parser in formats.parsers(tmp_path):
        found = parser.read(parser.path)
        assert same(parser.read(parser.path), found), parser.what
        assert parser.sound is None or parser.sound(found), parser.what


def test_all_kinds_of_damage():
    original = "".join(f"key{k}: {k * 7}\n" for k in range(20)).encode()
    lines = original.splitlines()

    def is_of(kind, copy):
        short = len(copy) < len(original)
        differ = [a != b for a, b in zip(original, copy, strict=False)]
        return {
            "cut": short and original.startswith(copy),
            "bytes": len(copy) == len(original) and 1 <= sum(differ) <= 8,
            "gap": short and len(original) - len(copy) <= 64,
            "more": 1 <= len(copy) - len(original) <= 64,
            "word": any(word in copy for word in WORDS),
            "number": any(number.encode() in copy for number in NUMBERS),
            "line": abs(len(copy.splitlines()) - len(lines)) == 1 and set(copy.splitlines()) <= set(lines),
        }[kind]

    chance = random.Random(0)
    for kind in KINDS:  # 3 of 50: a gap at the very end takes nothing, two changes of one byte undo each other
        assert sum(is_of(kind, damage(original, chance, kind)) for _ in range(50)) >= 47, kind


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


LAUGHS = "".join(f"{c}: &{c} [{', '.join(['*' + b] * 9)}]\n" for b, c in zip("abcdefgh", "bcdefghi", strict=True))
YAML = {
    "digits": "train: {epochs: " + "1" * 5000 + "}", "depth": "[" * 3000, "date": "a: 2024-99-99", "bool": "a: !!bool maybe",
    "timestamp": "a: !!timestamp x", "int": "a: !!int ''", "itself": "data: &a {name: digits, options: *a}",
    "laughs": f"a: &a [x, x, x]\n{LAUGHS}",
}  # fmt: skip


@pytest.mark.parametrize("text", YAML.values(), ids=YAML)
def test_yaml_that_breaks_the_parser(tmp_path, text):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"(?s)recipe .*r\.yaml' is not valid YAML: .*; see recipes/"):
        read_recipe(tmp_path / "r.yaml")
