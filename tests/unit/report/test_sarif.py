"""Findings as SARIF: what its standard asks for, and what code hosts do with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from stackcook.errors import Finding, Position, Severity
from stackcook.report.findings import sarif

ROOT = Path("/checkout")
MANIFEST = ROOT / "lab" / "infrastructure.yml"


def closed(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
URI = {"type": "string", "pattern": r"^[A-Za-z0-9._~:/%@!$&'()*+,;=-]+$"}  # RFC 3986, no blanks
NUMBER = {"type": "integer", "minimum": 1}
MESSAGE = closed("text", text=TEXT)
RULE = closed("id", id=TEXT, shortDescription=MESSAGE)
DRIVER = closed("name", name=TEXT, version=TEXT, rules={"type": "array", "items": RULE})
ARTIFACT = closed("", uri=URI, uriBaseId=TEXT)
REGION = closed("", startLine=NUMBER, startColumn=NUMBER)
PLACE = closed("artifactLocation", artifactLocation=ARTIFACT, region=REGION)
RESULT = closed(
    "message",
    ruleId=TEXT,
    level={"enum": ["none", "note", "warning", "error"]},
    message=MESSAGE,
    locations={"type": "array", "items": closed("", physicalLocation=PLACE)},
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
)
RUN = closed(
    "tool",
    tool=closed("driver", driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    originalUriBaseIds={"type": "object", "additionalProperties": closed("", uri=URI)},
    results={"type": "array", "items": RESULT},
)
ESSENTIALS = closed(
    "version runs",
    **{"$schema": URI},
    version={"const": "2.1.0"},
    runs={"type": "array", "items": RUN},
)
"""The part of SARIF 2.1.0's own JSON Schema that speaks of what is printed here."""


def one(path: Path, line: int, what: str = "bad", **more: Any) -> Finding:
    return Finding(path, Position(line, 3) if line else None, what, "mend it", **more)


def run(*findings: Finding) -> Any:
    document = sarif(findings, MANIFEST, ROOT)
    jsonschema.validate(document, ESSENTIALS, jsonschema.Draft7Validator)
    (only,) = document["runs"]
    return only


def result(finding: Finding) -> Any:
    (only,) = run(finding)["results"]
    return only


def test_a_finding() -> None:
    found = result(one(MANIFEST, 7, "role\nis bad"))
    assert found["level"] == "error"
    assert found["message"] == {"text": "role is bad; mend it"}
    assert found["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "lab/infrastructure.yml", "uriBaseId": "REPOSITORY"},
        "region": {"startLine": 7, "startColumn": 3},
    }
    assert result(one(MANIFEST, 7, severity=Severity.WARNING))["level"] == "warning"


def test_nothing_wrong() -> None:
    assert run()["results"] == []
    assert run()["originalUriBaseIds"] == {"REPOSITORY": {"uri": "file:///checkout/"}}


def test_a_finding_of_a_whole_file_stands_at_its_first_line() -> None:
    place = result(one(ROOT / "lab" / "roles" / "a.rb", 0))["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 1, "startColumn": 1}


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        (ROOT / "lab" / "data_bags" / "a b#1.json", "lab/data_bags/a%20b%231.json"),
        (ROOT / "lab" / "roles" / "größe.rb", "lab/roles/gr%C3%B6%C3%9Fe.rb"),
        (ROOT / "lab" / "roles" / "\udcff.rb", "lab/roles/%FF.rb"),  # a name that is not UTF-8
        (ROOT / "elsewhere" / ".." / "infrastructure.yml", "infrastructure.yml"),
        (Path("/home/me/a key"), "file:///home/me/a%20key"),
        (ROOT / ".." / "other.yml", "file:///other.yml"),
    ],
)
def test_paths(path: Path, uri: str) -> None:
    artifact = result(one(path, 1))["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact["uri"] == uri
    assert ("uriBaseId" in artifact) == (not uri.startswith("file:"))


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("infrastructure.yml", "manifest"),
        ("roles/base.rb", "roles"),
        ("data_bags/users/alice.json", "data_bags"),
        ("cookbooks/app/recipes/default.rb", "cookbooks"),
        ("Berksfile", "repository"),
        ("../roles/base.rb", "repository"),
    ],
)
def test_rules_are_parts_of_the_repository(path: str, rule: str) -> None:
    found = run(one(MANIFEST.parent / path, 1))
    (only,) = found["results"]
    assert only["ruleId"] == rule
    assert rule in [known["id"] for known in found["tool"]["driver"]["rules"]]


def test_a_fingerprint_outlives_other_changes() -> None:
    def prints(*findings: Finding) -> list[str]:
        return [found["partialFingerprints"]["finding/v1"] for found in run(*findings)["results"]]

    twice = one(MANIFEST, 9, "duplicate b, first on line 4")
    before = prints(one(MANIFEST, 1, "a"), twice)
    after = prints(one(MANIFEST, 11, "duplicate b, first on line 6"))
    assert after == before[1:]
    alike = prints(*[one(path, line) for path in (MANIFEST, ROOT / "b.yml") for line in (1, 2)])
    assert len(set(alike)) == 4  # no finding hides another
