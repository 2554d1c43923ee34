"""One self-contained HTML page: style and pictures inside, no scripts, nothing fetched; for phone, desk and paper."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure

from spikeseq.report.atomic import write_atomic
from spikeseq.report.columns import Columns, Row, as_columns, cell_text, is_number
from spikeseq.report.figure import png_bytes

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 60rem; margin: 0 auto;
  padding: 1rem; overflow-wrap: break-word }
h1, h2, h3 { line-height: 1.2; margin: 1.5em 0 .5em }
h1 { margin-top: .5em }
nav ul { padding-left: 1.2rem }
.text { white-space: pre-line }
.wide { overflow-x: auto; margin: 1rem 0 }
caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 2rem) }
table { border-collapse: collapse; font-size: .9rem }
caption, figcaption { text-align: left; color: #555; font-size: .9rem; padding: .3rem 0 }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid #ddd; white-space: nowrap }
th { border-bottom: 2px solid #222; white-space: normal; vertical-align: bottom }
.number { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: 1rem 0 }
img { max-width: 100%; height: auto }
@media screen {
  /* a shadow where more is to the right; names stay while the figures scroll */
  .wide { background: linear-gradient(270deg, #fff, #fff0) 100% 0 / 3rem 100% no-repeat local,
    linear-gradient(270deg, #0004, #0000) 100% 0 / .7rem 100% no-repeat scroll }
  th:first-child, td:first-child { position: sticky; left: 0; background: #fff; max-width: 45vw; white-space: normal }
}
@media screen and (max-width: 45rem) { img { max-width: none; width: 42rem } }
@media print {
  nav { display: none }
  body { max-width: none; padding: 0; font-size: 10pt }
  .wide { overflow: visible }
  table { font-size: 7.5pt }
  th, td { white-space: normal; padding: .15rem .3rem }
  h2, h3 { break-after: avoid }
  tr, figure { break-inside: avoid }
}
"""
# the browser itself refuses scripts and the network, whatever text gets into the page
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Heading:
    """A heading between sections; level 3 stands below level 2."""

    text: str
    level: Literal[2, 3] = 2


@dataclass(frozen=True)
class Text:
    """A paragraph; line breaks are kept."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under columns, written as in `markdown_table`."""

    rows: Sequence[Row]
    columns: Columns
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure; the caption is what a screen reader says, too."""

    figure: Figure
    caption: str


Section = Heading | Text | Table | Picture


def write_page(path: str | Path, title: str, sections: Sequence[Section]) -> Path:
    """Write the page, whole or not at all; all text is escaped; raises OSError when the disk refuses."""
    return write_atomic(path, page_html(title, sections).encode())


def page_html(title: str, sections: Sequence[Section]) -> str:
    """Return the page as text; raises TypeError for a section of no known type."""
    head = f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    head += '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    head += f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>"
    parts = [f"<h1>{html.escape(title)}</h1>", *_contents(sections)]
    parts += [_section_html(section, f"s{place}") for place, section in enumerate(sections)]
    body = "\n".join(parts)
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n'


def _contents(sections: Sequence[Section]) -> list[str]:
    """Links to the headings of level 2, where there are several."""
    places = [(f"s{n}", s.text) for n, s in enumerate(sections) if isinstance(s, Heading) and s.level == 2]
    links = "".join(f'<li><a href="#{name}">{html.escape(text)}</a></li>\n' for name, text in places)
    return [f'<nav aria-label="Contents">\n<ul>\n{links}</ul>\n</nav>'] if len(places) > 1 else []


def _section_html(section: Section, name: str) -> str:
    match section:
        case Heading(text, level):
            return f'<h{level} id="{name}">{html.escape(text)}</h{level}>'
        case Text(text):
            return f'<p class="text">{html.escape(text)}</p>'
        case Table():
            return _table_html(section)
        case Picture(figure, caption):
            data, alt = base64.b64encode(png_bytes(figure)).decode(), html.escape(caption)
            image = f'<img alt="{alt}" src="data:image/png;base64,{data}">'
            return f"<figure>\n{_scrolling(image, caption)}\n<figcaption>{alt}</figcaption>\n</figure>"
    raise TypeError(f"section is a {type(section).__name__}: give Heading, Text, Table or Picture")


def _table_html(table: Table) -> str:
    columns = as_columns(table.columns)
    numeric = {column.key for column in columns if any(is_number(row.get(column.key)) for row in table.rows)}
    kinds = {column.key: ' class="number"' if column.key in numeric else "" for column in columns}
    head = "".join(f'<th scope="col"{kinds[column.key]}>{html.escape(column.title)}</th>' for column in columns)
    lines = [
        "".join(f"<td{kinds[c.key]}>{html.escape(cell_text(row.get(c.key), c))}</td>" for c in columns)
        for row in table.rows
    ]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    caption = f"<caption><span>{html.escape(table.caption)}</span></caption>\n" if table.caption else ""
    grid = f"{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return _scrolling(f"<table>\n{grid}\n</table>", table.caption or "Table")


def _scrolling(content: str, label: str) -> str:
    """A box that scrolls sideways by itself, by keyboard too; the page never does."""
    name = html.escape(label.partition("\n")[0])
    return f'<div class="wide" role="region" tabindex="0" aria-label="{name}">\n{content}\n</div>'
