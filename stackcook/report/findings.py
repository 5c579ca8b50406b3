"""What ``check`` found, in order and counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stackcook.errors import Finding, Position, Severity


def ordered(findings: Iterable[Finding], manifest: Path) -> tuple[Finding, ...]:
    """Each finding once: the manifest's first, then file by file, each from top to bottom."""

    def place(finding: Finding) -> tuple[bool, str, Position]:
        return (
            finding.path != manifest,
            str(finding.path),
            finding.position or Position(0, 0),
        )

    return tuple(sorted(dict.fromkeys(findings), key=place))


def counts(findings: Sequence[Finding]) -> Mapping[str, int]:
    """How many ``errors`` and ``warnings`` there are, and in how many ``files``."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    files = len({finding.path for finding in findings})
    return {"errors": errors, "warnings": len(findings) - errors, "files": files}


def summary(findings: Sequence[Finding], looked_at: Mapping[str, int]) -> str:
    """The last line: how much is wrong, or what was looked at if nothing is.

    ``looked_at`` is how many there are of each plural, such as ``{"nodes": 2}``.
    """
    if not findings:
        return f"nothing is wrong with {_listed(looked_at) or 'the manifest'}"
    number = dict(counts(findings))
    where = _listed({"files": number.pop("files")})
    return f"found {_listed(number)} in {where}"


def _listed(numbers: Mapping[str, int]) -> str:
    """``2 nodes, 1 role``; what there is none of is left out."""
    return ", ".join(
        f"{number} {plural if number > 1 else plural[:-1]}"
        for plural, number in numbers.items()
        if number
    )
