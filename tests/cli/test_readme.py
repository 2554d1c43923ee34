"""Every command in the README and in docs/ is one that spikeseq takes, with arguments that it has."""

import re
import shlex
from pathlib import Path

import pytest

from spikeseq import runtime
from spikeseq.cli.main import parse
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.runtime.library import library_path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page):
    """The spikeseq lines of the page's shell blocks: variables before, comments and what follows && left out."""
    # the sh blocks of results.md are the commands of records, of the day of each
    for block in blocks(page, "bash" if page.name == "results.md" else "(?:bash|sh)"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.partition("&&")[0], comments=True)
            if "spikeseq" in words:
                yield words[words.index("spikeseq") + 1 :]


def test_the_pages_hold_commands():
    names = {words[0] for words in commands(ROOT / "README.md")}
    assert {"train", "convert", "evaluate", "energy", "latency", "export"} <= names
    assert {words[0] for words in commands(ROOT / "docs" / "deploy.md")} == {"latency", "export"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_understood(page):
    for words in commands(page):
        chosen = parse(words)
        recipe = chosen[words[0]].as_dict().get("recipe")
        assert recipe is None or (ROOT / recipe).is_file()


def test_what_deploy_says_of_latency(spikeseq):
    (words, *_) = commands(ROOT / "docs" / "deploy.md")
    shown = spikeseq(*words).out
    said = re.search(r"# ([\d,]+), ([\d,]+) and ([\d,]+) cycles", (ROOT / "docs" / "deploy.md").read_text())
    for cycles in said.groups():
        assert f"│ {cycles} │" in shown


@pytest.mark.skipif(library_path() is None, reason="the runtime's library was not built: make lib")
@pytest.mark.parametrize(
    ("network", "weights"),
    [
        ("spiking LSTM", "float32"), ("spiking LSTM", "int8"), ("gated current v2, 6 bits", "float32"),
        ("gated current v2, 6 bits", "int8"), ("gated current at T = 2", "int8"),
    ],
)  # fmt: skip
def test_what_deploy_says_of_memory(network, weights):
    sizes, cell, options = {
        "spiking LSTM": ((9, 64, 6), "spiking_lstm", {"time_steps": 2}),
        "gated current v2, 6 bits": ((40, 128, 15), "gated_current", {}),
        "gated current at T = 2": ((40, 128, 15), "spiking_gated_current", {"time_steps": 2}),
    }[network]
    program = runtime.compile(SequenceClassifier(*sizes, cell, options=options), weights)
    page = (ROOT / "docs" / "deploy.md").read_text()
    said = re.search(rf"^\| {network} \| {weights} \| ([\d,]+) \| [\d,]+ \| ([\d,]+) \|", page, re.MULTILINE)
    assert said.groups() == (f"{program.nbytes:,}", f"{program.stream().nbytes:,}")


def test_the_python_of_deploy_runs(capsys):
    for block in blocks(ROOT / "docs" / "deploy.md", "python"):
        exec(compile(block, "deploy.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "layer 2 t=2" in shown
    assert shown.endswith("\n7 3 1 4 4\n")
