"""Comments in JSON: Ruby's parsers, and so Chef and spiceweasel, pass over them."""

from __future__ import annotations

import re

STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
COMMENT = r"//[^\n]*|/\*.*?\*/"
_SKIM = re.compile(rf"{STRING}|(?P<comment>{COMMENT})", re.DOTALL)


def blanked(text: str) -> str:
    """The text with white space of the same shape for each comment."""
    return _SKIM.sub(_blank, text) if "/" in text else text


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0]) if match["comment"] else match[0]
