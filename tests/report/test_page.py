"""The HTML page: well formed, escaped, and nothing in it comes from elsewhere."""

import base64
import re
from html.parser import HTMLParser

import pytest

from spikeseq.report.page import Heading, Picture, Table, Text, page_html, write_page
from spikeseq.report.plots import lines
from spikeseq.report.table import Column, Spread

EVIL = "<script>alert('x')</script> & \"q\" "
VOID = {"meta", "img"}


class Reader(HTMLParser):
    """Collects tags and text, and checks that they nest."""

    def __init__(self, page: str):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page() -> str:
    figure = lines([1, 2], {"a": [1, 2]}, "x", "y")
    table = Table([{EVIL: EVIL, "acc": Spread(0.9, 0.1, 2, 2)}, {}], [EVIL, Column("acc", "%", scale=100)], EVIL)
    sections = [Text(EVIL + "\nsecond line"), Heading(EVIL), table, Picture(figure, EVIL), Picture(figure, "two")]
    return page_html(EVIL, sections)


def test_text_of_the_caller_never_becomes_markup(page):
    found = Reader(page)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "script" not in [tag for tag, _ in found.tags]
    # title, h1, text, heading, caption, column, cell, figcaption
    assert sum("<script>alert('x')</script>" in text for text in found.text) == 8
    images = [attributes for tag, attributes in found.tags if tag == "img"]
    assert images[0]["alt"] == EVIL
    assert all(set(image) == {"alt", "src"} for image in images)


def test_every_figure_is_inside_and_nothing_is_fetched(page):
    found = Reader(page)
    sources = [attributes["src"] for _, attributes in found.tags if "src" in attributes]
    assert len(sources) == 2
    for source in sources:
        head, _, data = source.partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
    assert not re.search(r"https?://|//cdn|@import|url\(", page)
    assert not {tag for tag, _ in found.tags} & {"script", "link", "iframe", "object", "base"}
    policy = next(a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_page_fits_a_phone_and_a_sheet(page):
    assert 'name="viewport" content="width=device-width' in page
    assert "@media print" in page
    assert "overflow-x: auto" in page


def test_table_cells_are_written_as_in_markdown(page):
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page)
    assert cells[1:] == ["90.00 ± 10.00", "-", "-"]
    assert '<td class="number">90.00' in page


def test_written_file_is_the_page_in_utf8(tmp_path):
    path = write_page(tmp_path / "runs" / "report.html", "Tést", [Text("±")])
    assert path.read_bytes().decode("utf-8") == page_html("Tést", [Text("±")])


def test_unknown_section_is_refused():
    with pytest.raises(TypeError, match="section is a str"):
        page_html("t", ["text"])
