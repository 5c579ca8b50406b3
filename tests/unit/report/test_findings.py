"""The order and the count of findings."""

from __future__ import annotations

from pathlib import Path

from stackcook.errors import Finding, Position, Severity
from stackcook.report.findings import ordered, summary

MANIFEST = Path("/repository/infrastructure.yml")


def one(name: str, line: int, severity: Severity = Severity.ERROR) -> Finding:
    at = Position(line, 1) if line else None
    return Finding(MANIFEST.parent / name, at, "bad", "mend it", severity)


def test_the_manifest_comes_first_then_file_by_file_from_the_top() -> None:
    right = (
        one("infrastructure.yml", 2),
        one("infrastructure.yml", 10),
        one("Berksfile", 0),
        one("Berksfile", 1),
        one("roles/a.rb", 1),
    )
    assert ordered(reversed((*right, right[0])), MANIFEST) == right


def test_summary() -> None:
    warning = one("a", 1, Severity.WARNING)
    assert summary([one("a", 1)], {}) == "found 1 error in 1 file"
    assert summary([warning], {"nodes": 2}) == "found 1 warning in 1 file"
    many = [one("a", 1), one("b", 2), warning]
    assert summary(many, {}) == "found 2 errors, 1 warning in 2 files"
    looked_at = {"nodes": 2, "cookbooks": 1, "data bags": 0}
    assert summary([], looked_at) == "no problems found: 2 nodes, 1 cookbook"
    assert summary([], {"nodes": 0}) == "no problems found: manifest"
