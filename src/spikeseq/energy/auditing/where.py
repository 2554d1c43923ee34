"""Where in the source an operation runs."""

from __future__ import annotations

import functools
import linecache
import sys
from pathlib import Path

import torch

_OWN = str(Path(__file__).parents[1])
_TORCH = str(Path(torch.__file__).parent)
_MODULES = str(Path(torch.__file__).parent / "nn" / "modules")


@functools.cache
def short(path: str) -> str:
    """``package/folder/file.py``, from the outermost package on."""
    file = Path(path)
    parts = [file.name]
    for folder in file.parents:
        if not (folder / "__init__.py").is_file():
            break
        parts.insert(0, folder.name)
    return "/".join(parts)


def source_line() -> tuple[str, str]:
    """Return "package/file.py:123" of the innermost frame of the model's own code, and that line's text.

    A model made of PyTorch's modules only has none: then it is the line of the innermost ``torch.nn`` module.
    """
    frame, fallback = sys._getframe(1), None
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_OWN) and frame.f_code.co_name == "_forward":  # beyond it is who asked for the audit
            break
        if path.startswith(_MODULES):
            fallback = fallback or frame
        elif not path.startswith((_OWN, _TORCH)):
            fallback = frame
            break
        frame = frame.f_back  # type: ignore[assignment]
    if fallback is None:
        return "", ""
    path, number = fallback.f_code.co_filename, fallback.f_lineno
    return f"{short(path)}:{number}", linecache.getline(path, number).strip()
