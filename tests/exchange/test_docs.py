"""The Python of docs/exchange.md runs as written."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "exchange.md"


def test_every_block_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("nir")
    monkeypatch.chdir(tmp_path)
    found = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) == 3
    for block in found:
        exec(compile(block, "exchange.md", "exec"), {})
    assert capsys.readouterr().out == "(1, 10)\nTrue 0.0001 zero\n"
