"""Breaks lines for a terminal, only between words: what it breaks itself can be cut anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.text import Text

_INDENT = 4
"""How much further the rest of a line is indented."""


def columns(stream: TextIO) -> int:
    """The columns of a terminal; 0 for others: editors and grep need whole lines."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except OSError:
        return 0


def wrapped(text: str, width: int) -> str:
    """``text`` in lines of ``width`` columns; 0: as it is. Longer words, such as paths, stay."""
    parts: list[str] = []
    begin = 0
    for at, indent in _breaks(text, width):
        parts += [text[begin:at], "\n" + " " * indent]
        begin = at + 1
    return "".join((*parts, text[begin:]))


def wrapped_text(text: Text, width: int) -> Text:
    """The same for a text with styles."""
    parts: list[Text] = []
    begin = 0
    for at, indent in _breaks(text.plain, width):
        parts += [text[begin:at], text.blank_copy("\n" + " " * indent)]
        begin = at + 1
    return text.blank_copy().join((*parts, text[begin:]))


def _breaks(text: str, width: int) -> Iterator[tuple[int, int]]:
    """The blanks to replace by a new line, and how far that is indented."""
    start = 0
    for line in text.split("\n") if width else ():
        begin = len(line) - len(line.lstrip())
        indent = begin + _INDENT
        end = width
        while len(line) > end:
            at = line.rfind(" ", begin, end + 1)
            if at < 0:
                at = line.find(" ", end)  # after a long word
            if at < 0:
                break
            yield start + at, indent
            begin, end = at + 1, at + 1 + max(width - indent, 1)
        start += len(line) + 1
