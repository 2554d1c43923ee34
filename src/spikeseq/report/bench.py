"""Tables that a benchmark's record asks for: it names rows of its metrics and their columns, the page shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from spikeseq.errors import DataError
from spikeseq.report.columns import Column, Columns, as_columns, markdown_table
from spikeseq.report.record import Record


def table_of(rows: str, columns: Columns, title: str, note: str = "") -> dict[str, Any]:
    """Return an entry for ``metrics["tables"]``: ``rows`` is the key of the rows in the same metrics."""
    shown = [dataclasses.asdict(column) for column in as_columns(columns)]
    return {"rows": rows, "columns": shown, "title": title, "note": note}


def columns_and_rows(record: Record, table: Mapping[str, Any]) -> tuple[list[Column], Any]:
    """Columns and rows of an entry of ``metrics["tables"]``. Raises KeyError or TypeError where it is none."""
    return [Column(**column) for column in table["columns"]], record.metrics[table["rows"]]


def own_tables(records: Sequence[Record]) -> list[str]:
    """Render the tables of all benchmark records, a heading each.

    Raises:
        DataError: an entry of ``metrics["tables"]`` is not what ``table_of`` makes, or names rows that are not there.
    """
    found = []
    for record in records:
        for table in record.metrics.get("tables", []) if record.kind == "bench" else []:
            try:
                columns, rows = columns_and_rows(record, table)
                text, title = markdown_table(rows, columns), f"### {record.name}: {table['title']}\n\n"
                note = f"\n{table['note']}\n" if table["note"] else ""
            except (KeyError, TypeError, AttributeError) as error:
                raise DataError(
                    f"record {record.name}: a table of it cannot be shown ({error!r}): run it again"
                ) from error
            found.append(title + text + note)
    return found
