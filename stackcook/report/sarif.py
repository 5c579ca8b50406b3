"""Findings as SARIF 2.1.0 (an OASIS standard), which code hosts show beside the lines."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stackcook import __version__
from stackcook.errors import Finding, one_line

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
BASE = "REPOSITORY"
"""The name of the directory that paths are relative to."""

_RULES = {
    "manifest": "The manifest is one that stackcook reads.",
    "cookbooks": "Cookbooks are whole, and fit each other.",
    "roles": "Roles are whole, and name what is there.",
    "environments": "Environments are whole, and pin versions that are there.",
    "data_bags": "Data bags' items are JSON, with their file's name as id.",
    "repository": "What the manifest names can be read.",
}
"""Rule → what holds where it isn't broken. A finding's is the directory that its file is in."""


def sarif(findings: Sequence[Finding], manifest: Path, base: Path) -> Mapping[str, Any]:
    """The findings of the repository that ``manifest`` lies in, as one run.

    Paths below ``base`` are relative to it, others absolute. A finding's fingerprint has no line
    in it, so that it stays the same one when lines are put in above.
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
                            for rule, text in _RULES.items()
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
        "ruleId": _rule(finding.path, manifest),
        "level": finding.severity.value,
        "message": {"text": one_line(f"{finding.what}; {finding.remedy}")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _artifact(finding.path, base),
                    # code hosts want a line; a whole file's findings stand at its first
                    "region": {
                        "startLine": at.line if at else 1,
                        "startColumn": at.column if at else 1,
                    },
                }
            }
        ],
        "partialFingerprints": {"finding/v1": _fingerprint(finding, base, seen)},
    }


def _rule(path: Path, manifest: Path) -> str:
    if path == manifest:
        return "manifest"
    below = path.relative_to(manifest.parent).parts if path.is_relative_to(manifest.parent) else ()
    return below[0] if below and below[0] in _RULES else "repository"


def _artifact(path: Path, base: Path) -> dict[str, str]:
    path = Path(os.path.normpath(path))  # `-f ../infrastructure.yml`: no host resolves `..`
    if not path.is_relative_to(base):
        return {"uri": _uri(path)}
    return {"uri": quote(os.fsencode(path.relative_to(base))), "uriBaseId": BASE}


def _uri(path: Path) -> str:
    return f"file://{quote(os.fsencode(path))}"


def _fingerprint(finding: Finding, base: Path, seen: Counter[str]) -> str:
    """Tells the finding from every other of its file, and knows it again after other changes."""
    what = re.sub(r"\bline \d+", "line", finding.what)
    place = _artifact(finding.path, base)["uri"]
    key = hashlib.sha256(f"{place}\n{what}".encode(errors="replace")).hexdigest()[:32]
    seen[key] += 1
    return f"{key}:{seen[key]}"
