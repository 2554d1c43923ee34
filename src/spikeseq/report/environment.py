"""What a number depends on besides its recipe: versions, machine, commit, command."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "lightning", "spikeseq")
# package: its module; named where the process has imported it, which made a part of the number: data, features, scores, search
OPTIONAL = {
    "scikit-learn": "sklearn", "tokenizers": "tokenizers", "sacrebleu": "sacrebleu", "torchmetrics": "torchmetrics",
    "soundfile": "soundfile", "kaldi-native-fbank": "kaldi_native_fbank", "optuna": "optuna",
}  # fmt: skip


def environment(threads: int | None = None) -> dict[str, str | int]:
    """Return versions of Python, of PACKAGES and of the OPTIONAL ones in use, platform, CPU model and thread count.

    `threads` is the caller's own count (`torch.get_num_threads()`); by default OMP_NUM_THREADS, else the cores that
    this process may use.
    """
    versions: dict[str, str | int] = {"python": platform.python_version()}
    for package in (*PACKAGES, *(name for name, module in OPTIONAL.items() if module in sys.modules)):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # optional, or spikeseq run from its source folder
    versions.update(platform=platform.platform(), cpu=_cpu_model(), threads=threads or _default_threads())
    return versions


def git_state() -> dict[str, Any] | None:
    """Return {"commit": full hash, "dirty": bool} of the checkout this package runs from; None outside of one.

    Dirty means that a file of the package differs from the commit or is not in it.
    """
    folder = Path(__file__).resolve().parents[1]
    # an installed copy inside another project's repository must not claim that project's commit
    if _git(folder, "ls-files", "--error-unmatch", "errors.py") is None:
        return None
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    status = _git(folder, "status", "--porcelain", "--", ".")
    return None if commit is None or status is None else {"commit": commit, "dirty": bool(status)}


def command_line() -> str:
    """Return the command that started this process, quoted for a shell, without the folder of the program."""
    if not sys.argv or not sys.argv[0]:
        return ""
    called = Path(sys.argv[0]).name
    words = ["python", "-m", "spikeseq"] if called == "__main__.py" else [called]
    return shlex.join([*words, *sys.argv[1:]])


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.lower().startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _default_threads() -> int:
    setting = os.environ.get("OMP_NUM_THREADS", "")
    if setting.isdigit() and int(setting) > 0:
        return int(setting)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
