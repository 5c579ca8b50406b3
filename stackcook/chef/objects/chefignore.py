"""``chefignore``: which files of a cookbook are not uploaded, by knife's rules."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

NAME = "chefignore"


@dataclass(frozen=True)
class Chefignore:
    """The patterns of one ``chefignore``."""

    patterns: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def find(cls, cookbook: Path) -> Chefignore:
        """The first ``chefignore`` in the cookbook's directory or one above it, as in knife.

        Raises OSError if it can't be read.
        """
        for directory in (cookbook, *cookbook.parents):
            path = directory / NAME
            if path.exists():
                return cls.parse(os.fsdecode(path.read_bytes())) if path.is_file() else cls()
        return cls()

    @classmethod
    def parse(cls, text: str) -> Chefignore:
        """The patterns in ``text``, one a line; blank lines and comments (``#``) are skipped."""
        lines = (line.strip() for line in text.splitlines())
        return cls(tuple(translate(line) for line in lines if line and not line.startswith("#")))

    def ignores(self, path: str) -> bool:
        """Whether ``path``, relative to the cookbook's directory, is ignored."""
        return any(pattern.fullmatch(path) for pattern in self.patterns)


def translate(glob: str) -> re.Pattern[str]:
    r"""The pattern equivalent to Ruby's ``File.fnmatch?(glob, path)``.

    ``*`` and ``?`` also match ``/``, but not a dot at the beginning; ``[a-z]`` and ``[!a-z]`` are
    sets; ``\`` escapes the next character. Braces have no meaning.
    """
    parts, at = [], 0
    while at < len(glob):
        char = glob[at]
        start = r"(?!\A\.)"
        if char == "*":
            parts.append(start + ".*")
        elif char == "?":
            parts.append(start + ".")
        elif char == "\\":
            at += 1
            parts.append(re.escape(glob[at : at + 1]))
        elif char == "[":
            matching, at = _set(glob, at + 1)
            parts.append(start + matching)
        else:
            parts.append(re.escape(char))
        at += 1
    return re.compile("".join(parts), re.DOTALL)


def _set(glob: str, at: int) -> tuple[str, int]:
    """The pattern of the set whose members begin at ``at``, and the position where it closes.

    A set that is not closed matches nothing, nor does a range from high to low: as in Ruby.
    """
    negated = glob[at : at + 1] in ("!", "^")
    at += negated
    members = []
    while at < len(glob) and glob[at] != "]":
        low, at = _member(glob, at)
        high = low
        if glob[at : at + 1] == "-" and glob[at + 1 : at + 2] != "]":
            high, at = _member(glob, at + 1)
        if low and low <= high:
            members.append(f"{re.escape(low)}-{re.escape(high)}")
    if at >= len(glob):
        return "(?!)", at
    if not members:
        return "." if negated else "(?!)", at
    return f"[{'^' if negated else ''}{''.join(members)}]", at


def _member(glob: str, at: int) -> tuple[str, int]:
    """The character at ``at``, or the one escaped there, and the position after it."""
    at += glob[at : at + 1] == "\\"
    return glob[at : at + 1], at + 1
