"""Find the records of runs: folders of runs, records themselves, and folders full of them."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeseq.errors import CheckpointError
from spikeseq.report.record import Record, read_record

NAMED = 3  # settings that a label spells out, at most


@dataclass(frozen=True)
class Run:
    """A record, and where it lies."""

    record: Record
    path: Path

    @property
    def model(self) -> Path | None:
        """The model file beside the record of a training run; None where there is none."""
        file = self.path.with_name("model.pt")
        return file if self.path.name == "record.json" and file.is_file() else None


def collect(paths: Iterable[str | Path]) -> list[Run]:
    """Read the records of all paths, each once, in the order of the paths; a folder is searched with all below it.

    Raises CheckpointError for a path that is not there, a folder without records and a file that is none, or is damaged.
    """
    files = list(dict.fromkeys(file for path in map(Path, paths) for file in _files(path)))
    runs: list[Run] = []
    for file in files:
        run = Run(read_record(file), file)
        same = next((place for place, other in enumerate(runs) if other.record == run.record), None)
        if same is None:
            runs.append(run)
        elif runs[same].model is None:  # the copy in results/ was named first; the run's folder holds more
            runs[same] = run
    return runs


def tell_apart(runs: Sequence[Run]) -> list[Run]:
    """Give runs of one name and of several configurations (``--set``) names that say what differs; seeds do not count."""
    flat = [_flat(run.record.config) for run in runs]
    families: dict[tuple[str, str], list[int]] = {}
    for place, run in enumerate(runs):
        families.setdefault((run.record.name, run.record.kind), []).append(place)
    named = list(runs)
    for places in families.values():
        # a key that a record lacks is one that its version of the recipe did not have yet: no difference
        keys = dict.fromkeys(key for place in places for key in flat[place])
        differ = [k for k in keys if len({flat[p][k] for p in places if k in flat[p]}) > 1]
        for place in places if differ else []:
            record = runs[place].record
            shown = [f"{k.rpartition('.')[2]}={_short(flat[place].get(k, '-'))}" for k in differ[:NAMED]]
            more = [f"+{len(differ) - NAMED} settings"] if len(differ) > NAMED else []
            label = f"{record.name} [{', '.join(shown + more)}]"
            named[place] = _called(runs[place], label)
    return _one_of_each_seed(named)


def _one_of_each_seed(runs: Sequence[Run]) -> list[Run]:
    """Name the folders of runs that are alike to the seed: two trials of a sweep that drew the same values."""
    alike = Counter((run.record.name, run.record.kind, run.record.seed) for run in runs)
    return [
        _called(run, f"{run.record.name} ({run.path.parent.name})")
        if alike[run.record.name, run.record.kind, run.record.seed] > 1
        else run
        for run in runs
    ]


def _called(run: Run, name: str) -> Run:
    return dataclasses.replace(run, record=dataclasses.replace(run.record, name=name))


def _short(value: str) -> str:
    """A setting; a number that was drawn to four digits."""
    return f"{float(value):.4g}" if re.fullmatch(r"-?\d+\.\d{4,}(e-?\d+)?", value) else value


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise CheckpointError(f"runs: {str(path)!r} is not there; pass folders of runs (runs/X), or records (*.json)")
    found = sorted(file for file in path.rglob("*.json") if not file.name.startswith("."))
    if not found:
        raise CheckpointError(
            f"runs: folder {str(path)!r} holds no record (record.json, or *.json below it); a run writes it at its end"
        )
    return found


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings by dotted key, as text; the seed and the name left out."""
    found: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        elif f"{prefix}{key}" not in ("seed", "name"):
            found[f"{prefix}{key}"] = str(value)
    return found
