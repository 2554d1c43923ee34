"""Bytes of code, counted by the compiler where there is one: flash, and the deepest stack."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

OPTIONS = ("-std=c11", "-Os", "-ffp-contract=off", "-c")
CALLS = "-fcallgraph-info=su"  # gcc from 10 on
SECONDS = 120
_SIZES = re.compile(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s+\d+\s+[0-9a-f]+\s+\S+\.o$", re.MULTILINE)  # text, data, bss
_FRAME = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*\\n(\d+) bytes \((?:static|dynamic,bounded)\)')
_CALL = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')


class Code(NamedTuple):
    """What the compiler made of the C files."""

    compiler: str
    flash: int  # bytes of code and its constants
    ram: int  # bytes of variables
    stack: int | None  # bytes of the deepest chain of calls; None: the compiler does not tell


def count_code(sources: Mapping[str, bytes], compiler: str | None = None, size: str | None = None) -> Code | None:
    """Compile the C files (name -> content) for small code.

    compiler, size  commands with options; $CC and $SIZE, as for make, or cc and size if left out
    Returns None where one of them is missing, of another kind, or cannot compile the files.
    """
    compile_, list_ = (
        shlex.split(given or os.environ.get(variable) or usual)
        for given, variable, usual in ((compiler, "CC", "cc"), (size, "SIZE", "size"))
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, data in sources.items():
            (Path(folder) / name).write_bytes(data)
        names = sorted(name for name in sources if name.endswith(".c"))
        try:
            _compile(compile_, names, folder)
            rows = _SIZES.findall(_run([*list_, *(name[:-1] + "o" for name in names)], folder))
            version = _run([*compile_, "--version"], folder).splitlines()[0]
            machine = _run([*compile_, "-dumpmachine"], folder).strip()
        except (OSError, subprocess.SubprocessError, LookupError):
            return None
        graph = "".join(path.read_text() for path in Path(folder).glob("*.ci"))
    if len(rows) != len(names) or not names:
        return None
    text, values, zeros = (sum(map(int, column)) for column in zip(*rows, strict=True))
    label = f"{version}, {machine}, {' '.join([*compile_[1:], '-Os'])}"
    return Code(label, text + values, values + zeros, deepest(graph))


def deepest(graph: str) -> int | None:
    """Bytes of the deepest chain of calls in gcc's call graphs; None where a frame or a call is not known beforehand."""
    frames = {name: int(size) for name, size in _FRAME.findall(graph)}
    calls: dict[str, set[str]] = {}
    for caller, called in _CALL.findall(graph):
        calls.setdefault(caller, set()).add(called)
    if not frames or "__indirect_call" in graph or "(dynamic)" in graph:
        return None

    def below(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise RecursionError
        return frames.get(name, 0) + max((below(c, (*above, name)) for c in calls.get(name, ())), default=0)

    try:
        return max(below(name, ()) for name in frames)
    except RecursionError:
        return None


def _compile(compiler: list[str], names: list[str], folder: str) -> None:
    """Compile, with the call graph if the compiler can write one."""
    try:
        _run([*compiler, *OPTIONS, CALLS, *names], folder)
    except subprocess.CalledProcessError:
        _run([*compiler, *OPTIONS, *names], folder)


def _run(command: list[str], folder: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=SECONDS)
    return done.stdout
