"""Bytes of code against a program whose sizes are known."""

import subprocess

import pytest

from spikeseq.export.footprint import count_code, deepest

SOURCES = {
    "a.c": b'#include "a.h"\nconst int table[100] = {1};\nint other[25];\nint set[10] = {1, 2};\n'
    b"int top(int n) { char room[500]; fill(room, n); return room[0]; }\n",
    "b.c": b'#include "a.h"\nvoid fill(char *room, int n) { char more[300]; use(more, n); room[0] = more[0]; }\n',
    "a.h": b"void fill(char *room, int n);\nvoid use(char *more, int n);\nint top(int n);\n",
}


def test_known_sizes():
    found = count_code(SOURCES)
    assert 400 + 40 < found.flash < 400 + 40 + 400  # table and the first values of set, and some instructions
    assert found.ram == 100 + 40  # other and set
    version = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True).stdout
    assert found.compiler.startswith(version.splitlines()[0])
    assert found.stack is None or 800 <= found.stack < 1000  # both rooms at once


def test_the_runtime_has_no_variables(code):
    assert code.ram == 0
    assert 5_000 < code.flash < 60_000
    assert code.stack is None or 200 < code.stack < 4_000


@pytest.mark.parametrize("sources", [{"a.c": b"int broken("}, {}])
def test_what_does_not_compile_is_not_counted(sources):
    assert count_code(sources) is None


@pytest.mark.parametrize(
    ("compiler", "size"), [("no-such-cc", None), (None, "no-such-size"), ("false", None), (None, "true")]
)
def test_without_tools(compiler, size):
    assert count_code(SOURCES, compiler, size) is None


def test_the_compiler_of_make_is_taken(monkeypatch):
    plain = count_code(SOURCES)
    monkeypatch.setenv("CC", "cc -DMORE")
    found = count_code({**SOURCES, "c.c": b"#ifdef MORE\nint more[1000];\n#endif\ntypedef int none;\n"})
    assert found.ram == plain.ram + 4000
    assert "-DMORE -Os" in found.compiler
    monkeypatch.setenv("SIZE", "no-such-size")
    assert count_code(SOURCES) is None


def node(name, size, kind="static"):
    return f'node: {{ title: "{name}" label: "{name}\\nf.c:1:1\\n{size} bytes ({kind})" }}\n'


def call(caller, called):
    return f'edge: {{ sourcename: "{caller}" targetname: "{called}" label: "f.c:2:2" }}\n'


def test_the_deepest_chain_counts():
    graph = node("a", 10) + node("b", 100, "dynamic,bounded") + node("c", 30) + node("d", 105)
    graph += call("a", "b") + call("a", "c") + call("b", "c") + call("c", "memset")
    assert deepest(graph) == 140
    assert deepest(graph + call("d", "a")) == 245


@pytest.mark.parametrize(
    "more", [call("b", "a"), call("b", "b"), call("b", "__indirect_call"), node("c", 5, "dynamic")]
)
def test_what_is_not_known_beforehand(more):
    assert deepest(node("a", 1) + node("b", 2) + call("a", "b") + more) is None
    assert deepest("") is None
