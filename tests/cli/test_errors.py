"""Errors: one line that a person can act on, exit code 2, and no traceback."""

from pathlib import Path

import pytest
import torch

RECIPE = str(Path(__file__).parents[2] / "recipes" / "digits_rows" / "lstm.yaml")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("train.epoch=3", ("'train.epoch'", "did you mean 'epochs'")),
        ("train.epochs=0", ("train.epochs=0", "1 or more")),
        ("train.epochs", ("'train.epochs'", "key=value")),
        ("model.cell=lstmm", ("cell='lstmm'", "did you mean 'lstm'")),
        ("data.name=digit", ("'digit'", "did you mean 'digits'")),
        ("train.start_from=missing.pt", ("'missing.pt'", "does not exist")),
        ("model.options={time_steps: 3}", ("time_steps",)),
        ("train.epochs=[", ("train.epochs=[",)),
    ],
)
def test_recipes(spikeseq, change, words):
    spikeseq("train", RECIPE, "--out", "run", "--progress", "false", "--set", change).refused(*words)
    assert not Path("run/model.pt").exists()


def test_files(spikeseq, trained):
    spikeseq("train", "missing.yaml").refused("'missing.yaml'", "does not exist")
    spikeseq("evaluate", "missing.pt").refused("'missing.pt'", "does not exist")
    spikeseq("convert", "missing.pt").refused("'missing.pt'", "does not exist")
    Path("half.pt").write_bytes((trained / "model.pt").read_bytes()[:1000])
    spikeseq("evaluate", "half.pt").refused("'half.pt'", "damaged")
    content = torch.load(trained / "model.pt", weights_only=True)
    torch.save({**content, "notes": {}}, "bare.pt")
    spikeseq("evaluate", "bare.pt").refused("'bare.pt'", "does not say what data", "train it by a recipe")
    content["notes"]["recipe"]["colour"] = "red"
    torch.save(content, "other.pt")
    spikeseq("evaluate", "other.pt").refused("'other.pt'", "another version", "'colour'")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--time_steps", "3"], ("time_steps=3", "(1, 2, 4, 8, 16)")),
        (["--neuron", "lif"], ('neuron="lif" with scheme="grid"', 'scheme="streams"')),
        (["--max_packet", "0"], ("max_packet=0",)),
        (["--scheme", "streams", "--leak", "2"], ("leak=2",)),
    ],
)
def test_conversions(spikeseq, trained, options, words):
    spikeseq("convert", trained / "model.pt", "--out", "snn.pt", *options).refused(*words)
    assert not Path("snn.pt").exists()


@pytest.mark.parametrize("name", ["a[b]c.pt", "a[/b]c.pt", "[bold]x.pt", "a\\[b].pt"])
def test_brackets_in_a_name_are_no_markup(spikeseq, name):
    spikeseq("evaluate", name).refused(repr(name))


def test_brackets_in_what_is_printed(spikeseq, trained):
    ran = spikeseq("convert", trained / "model.pt", "--out", "a[b]/snn[/x].pt")
    assert ran.code == 0
    assert ran.out.endswith("written: a[b]/snn[/x].pt")
    assert "V_i" in ran.out
    assert "[4." in ran.out or "[3." in ran.out or "[5." in ran.out  # the report's own brackets


def test_a_folder_that_cannot_be_written(spikeseq, trained):
    Path("file").write_text("in the way")
    spikeseq("convert", trained / "model.pt", "--out", "file/snn.pt").refused("file")
    assert Path("file").read_text() == "in the way"


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["trian"], ["train"], ["convert"], ["evaluate", "a.pt", "--split", "tset"], ["demo", "--colour", "red"],
        ["convert", "a.pt", "--time_steps", "two"], ["convert", "a.pt", "--stage", "soft"],
        ["train", "a.yaml", "--resume", "perhaps"],
    ],
)  # fmt: skip
def test_arguments_that_do_not_exist(spikeseq, arguments):
    ran = spikeseq(*arguments)
    assert ran.code == 2
    assert "error: " in ran.err
    assert "Traceback" not in ran.err


def test_an_interruption(spikeseq, monkeypatch):
    from spikeseq.cli import main as module

    def train(recipe: str) -> None:
        raise KeyboardInterrupt("go on with --resume")

    monkeypatch.setattr(module, "function_of", {"train": train}.get)
    ran = spikeseq("train", "a.yaml")
    assert (ran.code, ran.out) == (130, "")
    assert "go on with --resume" in ran.err
