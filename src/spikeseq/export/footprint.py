"""Bytes of flash and RAM, counted: of the weights from the arrays, of the code by the compiler where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

OPTIONS = ("-std=c11", "-Os", "-ffp-contract=off", "-fstack-usage")
SECONDS = 120


class Code(NamedTuple):
    """What the compiler made of the C files."""

    compiler: str
    flash: int  # bytes of code and its constants
    ram: int  # bytes of variables
    stack: int | None  # bytes of all functions' frames together; None: the compiler does not tell


def count_code(sources: Mapping[str, bytes], compiler: str = "cc", size: str = "size") -> Code | None:
    """Compile the C files (name -> content) for small code; None where compiler or ``size`` are missing or of another kind."""
    if shutil.which(compiler) is None or shutil.which(size) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for name, data in sources.items():
            (Path(folder) / name).write_bytes(data)
        names = sorted(name for name in sources if name.endswith(".c"))
        objects = [name[:-1] + "o" for name in names]
        try:
            _run([compiler, *OPTIONS, "-c", *names], folder)
            table = _run([size, *objects], folder)
            version = _run([compiler, "--version"], folder).splitlines()[0]
            machine = _run([compiler, "-dumpmachine"], folder).strip()
        except (OSError, subprocess.SubprocessError):
            return None
        rows = re.findall(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s+\d+\s+[0-9a-f]+\s+\S+\.o$", table, re.MULTILINE)
        if len(rows) != len(objects):
            return None
        text, data_, bss = (sum(map(int, column)) for column in zip(*rows, strict=True))
        frames = [path.read_text() for path in Path(folder).glob("*.su")]
    return Code(f"{version}, {machine}, -Os", text + data_, data_ + bss, _stack("".join(frames)) if frames else None)


def _stack(usage: str) -> int:
    """Sum of all frames in gcc's .su files. Nothing recurses, so no chain of calls needs more."""
    return sum(int(line.split("\t")[1]) for line in usage.splitlines())


def _run(command: list[str], folder: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=SECONDS)
    return done.stdout
