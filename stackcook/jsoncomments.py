"""Comments in JSON, which Ruby's parsers, and so Chef and spiceweasel, allow."""

from __future__ import annotations

import re

STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
COMMENT = r"//[^\n]*|/\*.*?\*/"
_SKIM = re.compile(rf"{STRING}|(?P<comment>{COMMENT})", re.DOTALL)


def blank_comments(text: str) -> str:
    """The text with each comment replaced by white space, so that positions stay the same."""
    return _SKIM.sub(_blank, text) if "/" in text else text


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0]) if match["comment"] else match[0]
