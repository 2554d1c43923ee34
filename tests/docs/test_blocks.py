"""Every block of Python and sh in the documentation runs: each page's in order, in one process, at tiny sizes.

Blocks of bash are examples for data and models that this machine need not have: tests/cli/test_readme.py parses them. Those
of README.md and docs/deploy.md are run all the same, as far as their files are here.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from spikeseq import data
from spikeseq.cli.main import main
from spikeseq.data import SequenceData, Split, TextData
from spikeseq.data.text.texts import to_texts
from spikeseq.data.text.tokenizer import train_tokenizer
from spikeseq.errors import DataError
from spikeseq.nn.checkpoint import ModelSettings, Sizes, save_model
from spikeseq.ops import fuse
from spikeseq.report.record import new_record, write_record
from spikeseq.runtime.library import library_path
from spikeseq.train.recipe import read_recipe

ROOT = Path(__file__).parents[2]
# docs/results.md is made from records: its commands are trainings of hours
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [page for page in PAGES if page.name != "results.md" and "```" in page.read_text()]
FENCE = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]+?) -->\n)?^```(?P<language>python|sh|bash)\n(?P<code>.*?)^```", re.M | re.S
)
EXAMPLES_RUN = ("README.md", "deploy.md")
NOT_RUN = ("make demo", "make test", "make check", "make docs", "make dist", "make bench")  # CI, or minutes
SHORTER = {
    "train": [
        *(
            "--progress",
            "false",
            "--set",
            "train.epochs=1",
            "--set",
            "train.compile=never",
            "--set",
            "model.hidden_size=8",
        ),
    ],
    "energy": ["--sequences", "4"],
    "sweep": [
        "--trials",
        "1",
        "--workers",
        "1",
        "--set",
        "train.epochs=1",
        "--set",
        "train.compile=never",
    ],
}
# what a page takes for granted, as its reader has it
GIVEN = {
    "README.md": """
import torch
loader = [torch.rand(4, 5, 3)]
class MyNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(3, 4, batch_first=True)
    def forward(self, x):
        return self.lstm(x)[0]
""",
    "energy.md": """
import torch, spikeseq
batch = torch.randn(4, 5, 3)
loader = [batch]
model = torch.nn.LSTM(3, 4)
snn = spikeseq.convert(model, spikeseq.ConvertConfig(time_steps=2), loader).model
""",
}


class Block(NamedTuple):
    """One fenced block of a page."""

    language: str
    code: str
    line: int
    why: str | None  # why it is not run


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found = FENCE.finditer(text)
    return [Block(m["language"], m["code"], text.count("\n", 0, m.start("code")), m["why"]) for m in found]


def commands(code: str) -> Iterator[list[str]]:
    """The words of each command of a shell block."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            yield words[:end]
            words = words[end + 1 :]


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """A folder with the recipes, a trained network (in name) and few data; nothing is compiled."""
    load = data.load

    def few(name: str, **options: object) -> SequenceData:
        whole = load(name, **options)
        splits = (Split(s.x[:n], s.y[:n]) for s, n in ((whole.train, 128), (whole.valid, 24), (whole.test, 40)))
        train, valid, test = splits
        return dataclasses.replace(whole, train=train, valid=valid, test=test, sound=None)

    texts = few_texts()
    monkeypatch.setattr(data, "load", few)
    monkeypatch.setattr(data, "load_text", lambda name, **options: texts)
    monkeypatch.setattr(fuse, "COMPILE_FROM", 1 << 60)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "inputs.csv").write_text("0,0.5,1,0,0,0,0,0\n" * 3)
    for name, path in (("lstm", "lstm/model.pt"), ("snn", "snn/model.pt"), ("snn", "X/model.pt"), ("snn", "snn.pt")):
        settings = ModelSettings("torch_lstm", 8) if name == "lstm" else ModelSettings("quantized_lstm", 8)
        recipe = {"name": f"digits_rows/{name}", "data": {"name": "digits", "options": {"order": "rows"}}, "seed": 0}
        recipe["model"] = {"cell": settings.cell, "hidden_size": 8}
        save_model(tmp_path / "runs" / path, settings.build(8, 10), settings, (8, 10), {"recipe": recipe})
        if path.endswith("/model.pt"):
            record = new_record(
                "train", f"digits_rows/{name}", config=recipe, seed=0, metrics={"test_accuracy": 0.5}, seconds=1
            )
            write_record(record, tmp_path / "runs" / path.replace("model.pt", "record.json"))
    settings = ModelSettings("lif", 8, 2, network="text")
    sizes = (texts.input_size, texts.num_classes)
    notes = {
        "recipe": {"name": "imdb/lif", "task": "text", "data": {"name": "imdb"}, "model": {"network": "text"}, "seed": 0},
        "classes": list(texts.classes), "tokenizer": texts.tokenizer.to_json(),
    }  # fmt: skip
    save_model(tmp_path / "runs/imdb/lif/seed0/model.pt", settings.build(*sizes), settings, sizes, notes)
    gestures = read_recipe(ROOT / "recipes/nmnist/lif_nir.yaml")
    shape = (2, 17, 17)
    made, notes = gestures.model.build(math.prod(shape), 10, shape), {"recipe": gestures.to_dict()}
    given = Sizes(math.prod(shape), 10, shape)
    save_model(tmp_path / "runs/nmnist/lif_nir/seed0/model.pt", made, gestures.model, given, notes)
    yield tmp_path
    torch.use_deterministic_algorithms(False)


def few_texts() -> TextData:
    """A few words each, pos and neg."""
    reviews = [(f"{word} at first , then {end}", int(end == "wonderful")) for word in ("slow", "good", "odd", "dull")
               for end in ("wonderful", "bad")]  # fmt: skip
    tokenizer = train_tokenizer((text for text, _ in reviews), 100)
    split = to_texts(tokenizer.encode([text for text, _ in reviews]), [label for _, label in reviews])
    return TextData("imdb", split, split, split, ("neg", "pos"), tokenizer, "made up", "none")


def run_command(words: list[str], example: bool = False) -> str | None:
    """Run one command of a shell block; why it was left out, if it was."""
    needed = [w for w in words if re.search(r"\.(pt|wav|npy|nir)$", w) and words[words.index(w) - 1] != "--out"]
    if example and (gone := [w for w in needed if not Path(w).exists()]):
        return f"{gone[0]} is not here"
    settings = [w for w in words if re.match(r"[A-Z]+=", w)]
    words = words[len(settings) :]
    if " ".join(words[:2]) in NOT_RUN:
        return f"{' '.join(words)}: CI runs it, or it takes minutes"
    environment = dict(pair.split("=", 1) for pair in settings)
    compiler = environment.get("CC", "cc").split()[0]
    if shutil.which(compiler) is None and (settings or words[0] == "make"):
        return f"{compiler} is not installed"
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment.items():
            patch.setenv(key, value)
        assert words[0] in ("spikeseq", "make") or words[0].startswith("runs/"), (
            f"{words[0]}: mark the block as not run"
        )
        if words[0] != "spikeseq":
            subprocess.run(words, check=True, capture_output=True, env=os.environ, timeout=300)
            return None
        try:
            code = main([*words[1:], *SHORTER.get(words[1], [])])
        except DataError as error:
            return str(error)
        except SystemExit as end:  # --version, --help
            code = end.code or 0
    assert code == 0, f"{shlex.join(words)} ended with {code}"
    return None


@pytest.mark.skipif(library_path() is None, reason="the runtime's library was not built: make lib")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of(page, workplace, capsys):
    namespace: dict[str, object] = {"__name__": "__main__"}
    exec(GIVEN.get(page.name, ""), namespace)
    ran, left_out = 0, []
    for block in blocks(page):
        why = block.why
        if block.language == "bash" and page.name not in EXAMPLES_RUN:
            why = "an example"
        if why:
            left_out.append(f"line {block.line}: {why}")
        elif block.language == "python":
            # line numbers of an error are those of the page
            exec(compile("\n" * block.line + block.code, str(page), "exec"), namespace)
            ran += 1
        else:
            done = [run_command(words, block.language == "bash") for words in commands(block.code)]
            left_out += [f"line {block.line}: {why}" for why in done if why]
            ran += 1
    if left_out:
        with capsys.disabled():
            print(f"\n{page.name}, not run: {'; '.join(left_out)}")
    if not ran:
        pytest.skip("; ".join(left_out) or "no block of Python or shell")


def test_a_wrong_block_fails(tmp_path, workplace):
    (tmp_path / "bad.md").write_text("# Bad\n```sh\nspikeseq latency --seq-len 0\n```\n```python\n1 / 0\n```\n")
    shell, python = blocks(tmp_path / "bad.md")
    with pytest.raises(AssertionError, match="ended with 2"):
        run_command(next(commands(shell.code)))
    assert (python.language, python.line) == ("python", 5)
    assert list(commands("a b && c \\\n d  # e\n")) == [["a", "b"], ["c", "d"]]
