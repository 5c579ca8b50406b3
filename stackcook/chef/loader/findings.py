"""Collects the problems of a Chef repository; checks continue after each finding."""

from __future__ import annotations

import os
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
        """Add a problem that must be fixed."""
        self.found.append(Finding(path, at, what, remedy))

    def warning(self, path: Path, at: Position | None, what: str, remedy: str) -> None:
        """Add something suspicious that may be intended."""
        self.found.append(Finding(path, at, what, remedy, Severity.WARNING))


def suggestion(name: str, known: Collection[str], otherwise: str) -> str:
    """``did you mean "base"?`` if a known name is similar, else the remedy ``otherwise``."""
    near = nearest(name, known)
    return f'did you mean "{near}"?' if near else otherwise


def searchable(directory: Path, findings: Findings) -> bool:
    """Whether this user may read the directory, if there is one; adds a finding otherwise."""
    wanted = os.R_OK | os.X_OK
    if not os.path.isdir(directory) or os.access(directory, wanted, effective_ids=True):
        return True
    findings.error(directory, None, "cannot read the directory", "make it readable")
    return False


def place(path: Path, text: str) -> Position | None:
    """The position of the first ``text`` in the file; ``None`` if it is not there."""
    lines = path.read_text(errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        if text in line:
            return Position(number, line.index(text) + 1)
    return None
