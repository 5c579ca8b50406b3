"""``chefignore``: which files of a cookbook stay at home, by knife's rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

NAME = "chefignore"


@dataclass(frozen=True)
class Chefignore:
    """The patterns of one ``chefignore``; none of them ignores nothing."""

    patterns: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def find(cls, cookbook: Path) -> Chefignore:
        """The nearest ``chefignore`` of the cookbook's directory and those above it, as knife.

        Raises OSError or UnicodeDecodeError if it can't be read.
        """
        for directory in (cookbook, *cookbook.parents):
            path = directory / NAME
            if path.exists():
                return cls.parse(path.read_text()) if path.is_file() else cls()
        return cls()

    @classmethod
    def parse(cls, text: str) -> Chefignore:
        """The patterns in ``text``: one a line; blank lines and lines with ``#`` first are none."""
        lines = (line.strip() for line in text.splitlines())
        return cls(tuple(translate(line) for line in lines if line and not line.startswith("#")))

    def ignores(self, path: str) -> bool:
        """Whether the file stays at home; ``path`` is relative to the cookbook's directory."""
        return any(pattern.fullmatch(path) for pattern in self.patterns)


def translate(glob: str) -> re.Pattern[str]:
    r"""The pattern that matches what Ruby's ``File.fnmatch?(glob, path)`` does.

    ``*`` and ``?`` match ``/`` too, but no dot at the very beginning; ``[a-z]`` and ``[!a-z]`` are
    sets; ``\`` takes the next character as it is. Braces mean nothing.
    """
    parts, at = [], 0
    while at < len(glob):
        char = glob[at]
        start = r"(?!\A\.)"
        if char == "*":
            parts.append(start + ".*")
        elif char == "?":
            parts.append(start + ".")
        elif char == "\\" and at + 1 < len(glob):
            at += 1
            parts.append(re.escape(glob[at]))
        elif char == "[":
            end = _end_of_set(glob, at)
            if end < 0:
                return re.compile("(?!)")  # a set that never ends matches nothing, says Ruby
            parts.append(start + _set(glob[at + 1 : end]))
            at = end
        else:
            parts.append(re.escape(char))
        at += 1
    return re.compile("".join(parts), re.DOTALL)


def _end_of_set(glob: str, at: int) -> int:
    """Where the set that opens at ``at`` closes; negative if it never does."""
    return glob.find("]", at + 2) if glob[at + 1 : at + 2] in ("!", "^") else glob.find("]", at + 1)


def _set(text: str) -> str:
    negated = text[:1] in ("!", "^")
    inner = re.sub(r"[\[\]\\&~|^]", r"\\\g<0>", text[negated:])
    if not inner:
        return "." if negated else r"(?!)"
    return f"[{'^' if negated else ''}{inner}]"
