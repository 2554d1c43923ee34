"""Tables from records; `python -m spikeseq.report.table results docs/results.md [--check]` writes the results page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import rich.console

from spikeseq.errors import SpikeseqError
from spikeseq.report.atomic import write_atomic
from spikeseq.report.columns import Column, cell_text, markdown_table, rich_table
from spikeseq.report.record import Record, read_records
from spikeseq.report.results import MODEL_COLUMNS, result_tables, results_page
from spikeseq.report.summary import Spread, spread, summarise

__all__ = [
    "Column",
    "Spread",
    "cell_text",
    "main",
    "markdown_table",
    "results_page",
    "rich_table",
    "spread",
    "summarise",
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 when --check finds the page out of date, 2 when the records cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m spikeseq.report.table", description=__doc__)
    parser.add_argument("records", type=Path, help="folder with the records")
    parser.add_argument("page", type=Path, nargs="?", help="Markdown file; left out: show the tables in the terminal")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page differs")
    options = parser.parse_args(arguments)
    if options.check and options.page is None:
        parser.error("--check needs the page to compare with")
    try:
        records = read_records(options.records)
        return _show(records) if options.page is None else _bring_up_to_date(records, options.page, options.check)
    except (SpikeseqError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def _bring_up_to_date(records: Sequence[Record], page: Path, check: bool) -> int:
    wanted = results_page(records).encode()
    if not check:
        write_atomic(page, wanted)
        return 0
    if page.is_file() and page.read_bytes() == wanted:
        return 0
    print(f"{page} is not what the records say: run make results-table", file=sys.stderr)
    return 1


def _show(records: Sequence[Record]) -> int:
    console = rich.console.Console()
    for name, rows, post_hoc in result_tables(records):
        # a terminal is narrow: no columns of dashes
        filled = [column for column in MODEL_COLUMNS if any(row[column.key] is not None for row in rows)]
        console.print(rich_table(rows, filled, title=name))
        if post_hoc[0]:
            console.print(rich_table(*post_hoc, title=f"{name}: after conversion, without further training"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
