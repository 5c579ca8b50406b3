"""Markdown for generated pages: tables, and text that Markdown shows as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are Markdown."""
    lines = (" | ".join(cell.replace("|", r"\|") for cell in row) for row in (header, *rows))
    first, *others = (f"| {line} |\n" for line in lines)
    return f"{first}|{'---|' * len(header)}\n" + "".join(others)


def plain(text: str) -> str:
    """A text of which no character has a meaning in Markdown, except what is in backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = (re.sub(r"([\\*_<>\[\]])", r"\\\1", part) for part in parts[::2])
    return "".join(parts)


def code(text: str) -> str:
    """The text as code, also if it has backticks."""
    fence = "``" if "`" in text else "`"
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{blank}{text}{blank}{fence}"
