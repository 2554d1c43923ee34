"""Columns of a table: which value of a row, under which heading, written how; as Markdown and for the terminal."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import rich.table
from rich.text import Text

from spikeseq.report.summary import Spread

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: `key` picks the value of a row; numbers are multiplied by `scale` and rounded to `digits`."""

    key: str
    heading: str = ""  # the key if empty; units belong here
    digits: int = 2
    scale: float = 1.0
    show_n: bool = False  # write the number of runs behind every mean

    @property
    def title(self) -> str:
        """The heading, or the key where none was given."""
        return self.heading or self.key


Columns = Sequence[Column | str]  # a str stands for Column(str)


def as_columns(columns: Columns) -> list[Column]:
    """Replace every plain key by the column it stands for."""
    return [Column(column) if isinstance(column, str) else column for column in columns]


def is_number(value: object) -> bool:
    """Tell whether a value is set flush right: a number or a mean."""
    return isinstance(value, int | float | Spread) and not isinstance(value, bool)


def cell_text(value: object, column: Column) -> str:
    """Write one value: "-" if missing, numbers rounded, means as "mean ± std (n = 3)"."""
    if value is None or value == "":
        return "-"
    if isinstance(value, Spread):
        return _spread_text(value, column)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _number_text(value, column) if isinstance(value, int | float) else str(value)


def markdown_table(rows: Sequence[Row], columns: Columns) -> str:
    """Write rows as a Markdown table that ends in a newline; numbers are set flush right, a missing value is "-"."""
    shown = as_columns(columns)
    right = [any(is_number(row.get(column.key)) for row in rows) for column in shown]
    lines = [[_escaped(column.title) for column in shown], ["---:" if flush else "---" for flush in right]]
    lines += [[_escaped(cell_text(row.get(column.key), column)) for column in shown] for row in rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def rich_table(rows: Sequence[Row], columns: Columns, title: str = "") -> rich.table.Table:
    """Build the same table for a terminal: `rich.print(rich_table(...))`."""
    table = rich.table.Table(title=Text(title) if title else None)
    shown = as_columns(columns)
    for column in shown:
        flush_right = any(is_number(row.get(column.key)) for row in rows)
        # fold: in a narrow terminal a number breaks over two lines, it never loses digits
        justify: Literal["left", "right"] = "right" if flush_right else "left"
        table.add_column(Text(column.title), justify=justify, overflow="fold")
    for row in rows:
        # Text: "[B, H]" in a cell is no style
        table.add_row(*(Text(cell_text(row.get(column.key), column)) for column in shown))
    return table


def _spread_text(spread: Spread, column: Column) -> str:
    text = _number_text(spread.mean, column, exact=not spread.std)
    if spread.std is not None and (spread.std > 0 or column.show_n):
        text += f" ± {spread.std * column.scale:,.{column.digits}f}"
    # a mean over fewer runs than its row must say so
    return f"{text} (n = {spread.n})" if column.show_n or spread.n != spread.of else text


def _number_text(value: float, column: Column, exact: bool = True) -> str:
    """Round to the column's digits; an exact whole number in its own unit (epochs, parameters) has no decimals."""
    whole = exact and column.scale == 1 and float(value).is_integer()
    return f"{value * column.scale:,.{0 if whole else column.digits}f}"


def _escaped(text: str) -> str:
    """Keep a cell in its cell: no pipe, no line break, no HTML."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")
