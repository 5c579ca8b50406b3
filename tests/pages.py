"""Pages of the documentation: their chapters, blocks of code, and the commands in these."""

from __future__ import annotations

import re
from pathlib import Path

from tests.started import ROOT

_BLOCK = re.compile(r"^```\w*\n(.*?)^```$|((?:^ {4,}[^\n]*\n)+)", re.MULTILINE | re.DOTALL)


def chapter(page: str, heading: str) -> str:
    """The text below a heading of a page; ``page`` is its path from the root of the checkout."""
    _, found, rest = Path(ROOT / page).read_text().partition(f"\n## {heading}\n")
    assert found, f"{page} has no heading {heading}"
    return rest.partition("\n## ")[0]


def blocks(text: str) -> list[str]:
    """Its blocks of code, fenced or indented."""
    return [fenced or indented for fenced, indented in _BLOCK.findall(text)]


def commands(page: str, heading: str) -> list[list[str]]:
    """The commands of each block in a chapter, without comments."""
    return [
        [line.partition(" #")[0].strip() for line in block.splitlines() if line.strip()]
        for block in blocks(chapter(page, heading))
    ]
