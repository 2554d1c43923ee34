"""The JSON record of a run: what ran, with which settings, on what, and which numbers came out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NoReturn

from spikeseq.errors import CheckpointError, ConfigError, nearest
from spikeseq.report.atomic import write_atomic
from spikeseq.report.environment import command_line, environment, git_state
from spikeseq.report.plain import plain

__all__ = ["KINDS", "SCHEMA", "Record", "environment", "new_record", "read_record", "read_records", "write_record"]

SCHEMA = "spikeseq-record/1"
KINDS = ("train", "convert", "evaluate", "demo", "bench")

SUMMED = datetime(2026, 11, 22, 6, tzinfo=timezone.utc)  # records that began later have a checksum


@dataclass(frozen=True)
class Record:
    """One run. Values are copied as plain JSON values; two records are equal when all their fields are.

    Raises ConfigError, naming the key, for an unknown kind, an empty name, a value that is not finite or not plain,
    and an accuracy outside [0, 1].
    """

    kind: str  # one of KINDS
    name: str  # "<data set>/<model>", e.g. "mnist_rows/spiking_t2"; runs that differ in the seed only share it
    config: dict[str, Any]  # the recipe as it ran; `data: {name, ...}`, `model: {cell, time_steps, ...}`
    seed: int | None
    metrics: dict[str, Any]  # accuracies are fractions in [0, 1]
    versions: dict[str, Any]  # as environment() returns them
    git: dict[str, Any] | None  # {"commit", "dirty"}; None outside a checkout
    started: str  # ISO 8601, with the offset from UTC
    seconds: float  # wall clock
    command: str = ""  # what a person types to run it again

    def __post_init__(self) -> None:
        _check_fields(self)
        for field in ("config", "metrics", "versions", "git"):
            # frozen: the plain copy goes in once, here
            object.__setattr__(self, field, plain(getattr(self, field), field))


def new_record(
    kind: str,
    name: str,
    *,
    config: Mapping[str, Any],
    seed: int | None,
    metrics: Mapping[str, Any],
    seconds: float,
    started: datetime | None = None,
    threads: int | None = None,
) -> Record:
    """Make the record of a run of this process; versions, commit and command are filled in, `started` None is now."""
    moment = (started or datetime.now(timezone.utc)).astimezone(timezone.utc).isoformat(timespec="seconds")
    surroundings = {"versions": environment(threads), "git": git_state(), "command": command_line()}
    fields = {"config": dict(config), "metrics": dict(metrics), "seed": seed, "started": moment, "seconds": seconds}
    return Record(kind=kind, name=name, **fields, **surroundings)  # type: ignore[arg-type]


def write_record(record: Record, path: str | Path) -> Path:
    """Write the record as JSON with its checksum, whole or not at all; raises OSError when the disk refuses."""
    content = {"schema": SCHEMA, **dataclasses.asdict(record)}
    text = json.dumps({**content, "sha256": _checksum(content)}, indent=2, ensure_ascii=False, allow_nan=False)
    return write_atomic(path, (text + "\n").encode())


def read_record(path: str | Path) -> Record:
    """Read one record; raises CheckpointError when it is missing, truncated, corrupt, foreign or of another schema."""
    try:
        return _read(path)
    except RecursionError as error:
        raise CheckpointError(f"record {path} is corrupt: it holds values within values without end") from error


def _read(path: str | Path) -> Record:
    try:
        content = json.loads(Path(path).read_bytes().decode(), parse_constant=_refuse_constant)
    except OSError as error:
        raise CheckpointError(f"record {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise CheckpointError(f"record {path} is corrupt or truncated ({error}): run it again") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(f"{path} is not a spikeseq record: schema is {found!r}, expected {SCHEMA!r}")
    checksum = content.pop("sha256", None)
    record = _from_content(content, path)
    old = datetime.fromisoformat(record.started) < SUMMED
    if checksum != _checksum(content) and not (checksum is None and old):
        raise CheckpointError(f"record {path} is not what was written: its checksum differs; run it again")
    return record


def _checksum(content: Mapping[str, Any]) -> str:
    """sha256 of a record's values, however the file is laid out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def read_records(folder: str | Path) -> list[Record]:
    """Read every *.json below `folder`, sorted by name, kind, seed and start; raises CheckpointError as read_record."""
    if not Path(folder).is_dir():
        raise CheckpointError(f"no folder {folder}: give the folder that holds the records")
    records = [read_record(path) for path in sorted(Path(folder).rglob("*.json"))]
    return sorted(records, key=lambda r: (r.name, r.kind, -1 if r.seed is None else r.seed, r.started))


def _from_content(content: dict[str, Any], path: str | Path) -> Record:
    known = {field.name for field in dataclasses.fields(Record)}
    given = set(content) - {"schema"}
    problems = {"misses": known - {"command"} - given, "has unknown": given - known}
    for problem, fields in problems.items():
        if fields:
            raise CheckpointError(f"record {path} {problem} fields {sorted(fields)}: run it again")
    try:
        return Record(**{field: content[field] for field in given})
    except ConfigError as error:
        raise CheckpointError(f"record {path} is corrupt: {error}") from error


def _check_fields(record: Record) -> None:
    if record.kind not in KINDS:
        raise ConfigError(f"kind is {record.kind!r}; {nearest(str(record.kind), KINDS)}")
    if not isinstance(record.name, str) or not record.name.strip():
        raise ConfigError(f"name is {record.name!r}: give '<data set>/<model>'")
    if isinstance(record.seed, bool) or not isinstance(record.seed, int | None):
        raise ConfigError(f"seed is {record.seed!r}: give an integer or None")
    for field in ("config", "metrics", "versions"):
        if not isinstance(getattr(record, field), Mapping):
            raise ConfigError(f"{field} is a {type(getattr(record, field)).__name__}: give a dict")
    if record.git is not None and not (isinstance(record.git, Mapping) and set(record.git) == {"commit", "dirty"}):
        raise ConfigError(f"git is {record.git!r}: give a dict with commit and dirty, or None")
    seconds = record.seconds
    if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds < 0:
        raise ConfigError(f"seconds is {seconds!r}: give a finite number, 0 or more")
    _check_moment(record.started)


def _check_moment(started: object) -> None:
    try:
        moment = datetime.fromisoformat(str(started))
    except ValueError as error:
        raise ConfigError(f"started is {started!r}: give ISO 8601, e.g. 2025-01-31T12:00:00+00:00") from error
    if moment.tzinfo is None:
        raise ConfigError(f"started is {started!r}: add the offset from UTC, e.g. +00:00")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is not JSON")
