"""Where the C files of the runtime are: inside an installed package, or beside src/ in a clone."""

from __future__ import annotations

from pathlib import Path

from spikeseq.errors import ConfigError

PACKAGE = Path(__file__).parents[1]
TEMPLATE = Path(__file__).with_name("template")


def runtime_sources(package: Path = PACKAGE) -> dict[str, bytes]:
    """Name -> content of every C file of the runtime, and its licence. Raises ConfigError when they were not installed."""
    clone = package.parents[1]
    for folder, licence in ((package / "csrc", package / "csrc"), (clone / "csrc", clone)):
        if (folder / "spikeseq.h").is_file():
            found = {path.name: path.read_bytes() for path in sorted(folder.glob("*.[ch]"))}
            return {**found, "LICENSE": (licence / "LICENSE").read_bytes()}
    raise ConfigError(
        f"the C files of the runtime are not in {str(package / 'csrc')!r}: install spikeseq anew (pip install .)"
    )


def template(name: str) -> str:
    """Text of a file that goes out beside them."""
    return (TEMPLATE / name).read_text()
