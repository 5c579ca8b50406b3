"""Collects what is wrong with the Chef repository; nothing found stops the search."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from stackcook.errors import Finding, Position, Severity
from stackcook.nearest import nearest


@dataclass
class Findings:
    """A growing list of findings."""

    found: list[Finding] = field(default_factory=list)

    def error(self, path: Path, at: Position | None, what: str, remedy: str) -> None:
        """Note something that must be put right."""
        self.found.append(Finding(path, at, what, remedy))

    def warning(self, path: Path, at: Position | None, what: str, remedy: str) -> None:
        """Note something that may be meant."""
        self.found.append(Finding(path, at, what, remedy, Severity.WARNING))


def suggestion(name: str, known: Collection[str], otherwise: str) -> str:
    """``did you mean "base"?`` where a known name is near, else the remedy ``otherwise``."""
    near = nearest(name, known)
    return f'did you mean "{near}"?' if near else otherwise


def place(path: Path, text: str) -> Position | None:
    """Where ``text`` is first in the file; ``None`` if it is not there as it is."""
    lines = path.read_text(errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        if text in line:
            return Position(number, line.index(text) + 1)
    return None
