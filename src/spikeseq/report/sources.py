"""Footnotes of the results page: seeds, configuration, commit, environment and command behind every row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from spikeseq.report.columns import markdown_table
from spikeseq.report.record import Record
from spikeseq.report.summary import groups


def config_hash(record: Record) -> str:
    """Return 10 hex digits of the SHA-256 of the configuration, its seed left out: equal for all seeds of a recipe."""
    settings = {key: value for key, value in record.config.items() if key != "seed"}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:10]


def footnotes(records: Sequence[Record]) -> str:
    """Render the last section of the page: a table of sources, the environments it names, the commands."""
    rows, environments = origins(records)
    text = "## Where the numbers come from\n\n"
    text += markdown_table(rows, ["record", "kind", "seeds", "configuration", "commit", "environment"])
    if any("," in row["configuration"] for row in rows):
        text += "\nSeveral hashes in `configuration`: the runs of that row differ in more than the seed.\n"
    text += "\n" + "".join(f"- E{number}: {line}\n" for number, line in enumerate(environments, start=1))
    commands = list(dict.fromkeys(record.command for record in records if record.command))
    return text + ("\n```sh\n" + "\n".join(commands) + "\n```\n" if commands else "")


def origins(records: Sequence[Record]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each name and kind, and the environments that the rows call E1, E2, .."""
    environments = list(dict.fromkeys(_environment_text(record) for record in records))
    return [_source(runs, environments) for runs in groups(records).values()], environments


def _source(runs: Sequence[Record], environments: Sequence[str]) -> dict[str, Any]:
    return {
        "record": runs[0].name,
        "kind": runs[0].kind,
        "seeds": _distinct("-" if run.seed is None else str(run.seed) for run in runs),
        "configuration": _distinct(map(config_hash, runs)),
        "commit": _distinct(map(_commit_text, runs)),
        "environment": _distinct(f"E{environments.index(_environment_text(run)) + 1}" for run in runs),
    }


def _distinct(texts: Any) -> str:
    return ", ".join(dict.fromkeys(texts))


def _commit_text(record: Record) -> str:
    if record.git is None:
        return "-"
    return str(record.git["commit"])[:10] + (" + changes" if record.git["dirty"] else "")


def _environment_text(record: Record) -> str:
    return ", ".join(f"{key} {value}" for key, value in record.versions.items())
