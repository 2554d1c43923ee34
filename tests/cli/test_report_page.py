"""The report in a real browser: on a desk, on a phone, in print; no error, nothing fetched, every figure there."""

from __future__ import annotations

import itertools
import re

import pytest
from chromium import PROGRAM, Chromium

from spikeseq.cli.main import main
from spikeseq.report.page import Text, page_html

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed: apt-get install chromium")
PHONE, DESK, PAPER = 390, 1280, 718  # CSS pixels; A4 with margins of 1 cm

UNSEEN = """[...document.images].filter(i => {
  const box = i.getBoundingClientRect()
  return !(i.naturalWidth && i.naturalHeight && box.width && box.height && i.checkVisibility() && i.alt)
}).length"""
WIDE = """(width => [...document.querySelectorAll('main > *')].filter(e => e.getBoundingClientRect().right > width)
  .map(e => e.tagName))"""
SMALL_TEXT = """[...document.querySelectorAll('p, td, th, figcaption, a')]
  .filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).length"""


def problems(browser: Chromium) -> list[str]:
    """What is wrong with the page that is open."""
    found = [*browser.errors, *(url for url in browser.fetched if not url.startswith(("file:", "data:")))]
    if unseen := browser.ask(UNSEEN):
        found.append(f"{unseen} figures cannot be seen")
    # not innerWidth: a phone zooms out until a page that is too wide fits
    if (scrolls := browser.ask("document.scrollingElement.scrollWidth")) > browser.width:
        found.append(
            f"the page scrolls sideways: {scrolls} on {browser.width}, {browser.ask(f'{WIDE}({browser.width})')}"
        )
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Chromium(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory, made_runs):
    path = tmp_path_factory.mktemp("page") / "report.html"
    assert main(["report", *map(str, made_runs), "--out", str(path), "--sequences", "1"]) == 0
    return path


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_nothing_is_wrong_on_a_screen(browser, page, width, tmp_path):
    browser.open(page, width)
    assert problems(browser) == []
    assert browser.ask("document.images.length") == page.read_text().count("<img ") >= 6
    assert browser.ask(SMALL_TEXT) == 0
    browser.screenshot(tmp_path / f"report_{width}.png")


def test_what_is_wide_scrolls_by_itself_on_a_phone(browser, page):
    browser.open(page, PHONE)
    boxes = browser.ask("[...document.querySelectorAll('.wide')].map(e => [e.clientWidth, e.scrollWidth, e.tabIndex])")
    assert all(inside <= PHONE and tab == 0 for inside, _, tab in boxes)
    assert any(whole > inside for inside, whole, _ in boxes)
    # a figure keeps a size at which its labels can be read
    assert browser.ask("Math.min(...[...document.images].map(i => i.getBoundingClientRect().width))") >= 600


def test_headings_form_an_outline_with_links(browser, page):
    browser.open(page, DESK)
    levels = browser.ask("[...document.querySelectorAll('h1, h2, h3')].map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    links = browser.ask(
        "[...document.querySelectorAll('nav a')].map(e => !!document.querySelector(e.getAttribute('href')))"
    )
    assert len(links) >= 2
    assert all(links)


def test_print(browser, page):
    browser.open(page, PAPER)
    browser.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert problems(browser) == []
        assert browser.ask("Math.max(...[...document.querySelectorAll('table, img')].map(e => e.scrollWidth))") <= PAPER
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")
    printed = browser.pdf()
    assert printed.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 40


def test_a_bad_page_is_found_out(browser, tmp_path):
    text = page_html("bad", [Text("x")]).replace(
        "</main>", '<img src="none.png" alt="x"><pre style="width:900px">x</pre></main>'
    )
    (tmp_path / "bad.html").write_text(text.replace("</head>", "<script>1</script></head>"))
    browser.open(tmp_path / "bad.html", PHONE)
    found = " ".join(problems(browser))
    assert "1 figures cannot be seen" in found
    assert "the page scrolls sideways" in found
    assert "Content Security Policy" in found
