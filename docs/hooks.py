"""What MkDocs shows beside docs/*.md: README, CONTRIBUTING and CHANGELOG, which stay where a repository has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages; links into docs/ become links on the site."""
    for page, source in PAGES.items():
        text = re.sub(r"\]\(docs/", "](", (ROOT / source).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=text))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Leave out the roles of cross-references in docstrings: the name alone says it."""
    return re.sub(r":(?:func|class|meth|mod|data):(?=<code)", "", html)
