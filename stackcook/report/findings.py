"""The findings of ``check``: sorted, counted, and in formats of code hosts: SARIF, Code Quality."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stackcook import __version__
from stackcook.errors import Finding, Position, Severity, one_line


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


def summary(findings: Sequence[Finding], checked: Mapping[str, int]) -> str:
    """The last line: the number of problems, or what was checked if there are none.

    ``checked`` counts what was checked, such as ``{"nodes": 2}``.
    """
    if not findings:
        return f"no problems found: {_listed(checked) or 'manifest'}"
    number = dict(counts(findings))
    where = _listed({"files": number.pop("files")})
    return f"found {_listed(number)} in {where}"


def _listed(numbers: Mapping[str, int]) -> str:
    """``2 nodes, 1 role``; without zeros."""
    return ", ".join(
        f"{number} {plural if number > 1 else plural[:-1]}"
        for plural, number in numbers.items()
        if number
    )


SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
BASE = "REPOSITORY"
"""The name of the directory that paths are relative to."""

RULES = {
    "manifest": "The manifest is valid.",
    "cookbooks": "Cookbooks are valid and compatible with each other.",
    "roles": "Roles are valid, and everything that they refer to exists.",
    "environments": "Environments are valid, and the cookbook versions that they pin exist.",
    "data_bags": "Data bag items are valid JSON, and the id is the name of the file.",
    "repository": "Everything that the manifest refers to can be read.",
}
"""Rule → description. The rule of a finding is the directory of its file."""


def sarif(findings: Sequence[Finding], manifest: Path, base: Path) -> Mapping[str, Any]:
    """The findings of the repository that ``manifest`` lies in, as one run.

    Paths below ``base`` are relative to it, others absolute. Fingerprints contain no line
    numbers, so they stay the same when lines are added above.
    """
    seen: Counter[str] = Counter()
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "stackcook",
                        "version": __version__,
                        "rules": [
                            {"id": rule, "shortDescription": {"text": text}}
                            for rule, text in RULES.items()
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {BASE: {"uri": f"{_uri(base).rstrip('/')}/"}},
                "results": [_result(finding, manifest, base, seen) for finding in findings],
            }
        ],
    }


def _result(finding: Finding, manifest: Path, base: Path, seen: Counter[str]) -> dict[str, Any]:
    at = finding.position
    return {
        "ruleId": rule_of(finding.path, manifest),
        "level": finding.severity.value,
        "message": {"text": _message(finding)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _artifact(finding.path, base),
                    # code hosts require a line; use the first one for findings without
                    "region": {
                        "startLine": at.line if at else 1,
                        "startColumn": at.column if at else 1,
                    },
                }
            }
        ],
        "partialFingerprints": {"finding/v1": _fingerprint(finding, base, seen)},
    }


def code_quality(
    findings: Sequence[Finding], manifest: Path, base: Path
) -> Sequence[Mapping[str, Any]]:
    """The findings as GitLab's Code Quality report; paths and fingerprints as in :func:`sarif`."""
    seen: Counter[str] = Counter()
    return [
        {
            "description": _message(finding),
            "check_name": rule_of(finding.path, manifest),
            "fingerprint": _fingerprint(finding, base, seen),
            "severity": "major" if finding.severity is Severity.ERROR else "minor",
            "location": {
                "path": _below(finding.path, base),
                "lines": {"begin": finding.position.line if finding.position else 1},
            },
        }
        for finding in findings
    ]


def _message(finding: Finding) -> str:
    return one_line(f"{finding.what}; {finding.remedy}")


def _below(path: Path, base: Path) -> str:
    """The path relative to ``base``, if it is below it."""
    path = Path(os.path.normpath(path))
    return str(path.relative_to(base) if path.is_relative_to(base) else path)


def rule_of(path: Path, manifest: Path) -> str:
    """The rule of a finding in the file ``path``, one of :data:`RULES`."""
    if path == manifest:
        return "manifest"
    below = path.relative_to(manifest.parent).parts if path.is_relative_to(manifest.parent) else ()
    return below[0] if below and below[0] in RULES else "repository"


def _artifact(path: Path, base: Path) -> dict[str, str]:
    path = Path(
        os.path.normpath(path)
    )  # `-f ../infrastructure.yml`: code hosts do not resolve `..`
    if not path.is_relative_to(base):
        return {"uri": _uri(path)}
    return {"uri": quote(os.fsencode(path.relative_to(base))), "uriBaseId": BASE}


def _uri(path: Path) -> str:
    return f"file://{quote(os.fsencode(path))}"


def _fingerprint(finding: Finding, base: Path, seen: Counter[str]) -> str:
    """Identifies a finding across versions of its file."""
    what = re.sub(r"\bline \d+", "line", finding.what)
    place = _artifact(finding.path, base)["uri"]
    key = hashlib.sha256(f"{place}\n{what}".encode(errors="replace")).hexdigest()[:32]
    seen[key] += 1
    return f"{key}:{seen[key]}"
