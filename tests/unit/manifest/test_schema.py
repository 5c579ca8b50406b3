"""The manifest's JSON Schema and its reader say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackcook.errors import Finding
from stackcook.manifest.document import Value
from stackcook.manifest.read import read
from stackcook.manifest.schema import Schema, schema
from stackcook.manifest.fields import FieldReader, Fields
from tests.casefiles import read_cases

SCHEMA = schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

SHAPE = re.compile(
    "unknown key|is not a list|is not a mapping|has several keys|an entry of .* has no name"
    "|must be a list of|is (a list|a mapping|empty)$|has no (url|lock|group)"
)
"""What the reader says of a wrong shape, which a schema can know as well."""


def test_it_is_a_schema_of_draft_7() -> None:
    VALIDATOR.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    patterns = re.findall(r'"pattern": "(.*?)"[,}]', json.dumps(SCHEMA))
    assert len(patterns) > 20
    for pattern in patterns:  # of JavaScript's: no named groups, no flags, no \A, no \Z
        assert not re.search(r"\(\?[^:=!]|\\[AZ]", pattern)


def cases() -> Iterator[Any]:
    """The case files' manifests that are YAML."""
    for name, case in read_cases():
        try:
            document = yaml.safe_load(case["manifest"].replace("\t", " ").lstrip("\ufeff"))
        except yaml.YAMLError:
            continue
        yield pytest.param(plain(document), case.get("findings", ()), id=name)


def plain(value: Any) -> Any:
    """A YAML document as JSON has it: YAML's dates are texts, as are all keys."""
    if isinstance(value, dict):
        return {str(key): plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [plain(below) for below in value]
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


@pytest.mark.parametrize(("document", "findings"), cases())
def test_cases(document: Any, findings: Collection[str]) -> None:
    faults = list(VALIDATOR.iter_errors(document))
    if not any("error: " in finding for finding in findings):
        assert not faults
    elif any(SHAPE.search(finding.split("; ")[0]) for finding in findings):
        assert faults


def documents(part: Schema) -> st.SearchStrategy[Any]:
    """Documents that the schema accepts."""
    if "enum" in part:
        return st.sampled_from(part["enum"])
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    return st.one_of(*[_KINDS[kind](part) for kind in kinds])


def texts(part: Schema) -> st.SearchStrategy[str]:
    pattern = part.get("pattern", ".*").replace("$", r"\Z")  # Python's `$` lets a line's end pass
    return st.from_regex(re.compile(pattern, re.ASCII)).filter(str.isprintable)


def objects(part: Schema) -> st.SearchStrategy[Any]:
    others = part["additionalProperties"]
    if others is not False:
        most = part.get("maxProperties", 3)
        names = texts(part.get("propertyNames", {"pattern": r"\S"})).filter(lambda n: n != "<<")
        bodies = documents(others)
        return st.dictionaries(names, bodies, min_size=part.get("minProperties", 0), max_size=most)
    keys = {name: documents(below) for name, below in part["properties"].items()}
    required = {name: keys.pop(name) for name in part.get("required", ())}
    return st.fixed_dictionaries(required, optional=keys)


_KINDS: Mapping[str, Any] = {
    "null": lambda part: st.none(),
    "string": lambda part: texts(part).filter(lambda t: len(t) >= part.get("minLength", 0)),
    "number": lambda part: st.integers(0, 99).map(lambda number: number / 10),
    "integer": lambda part: st.integers(part["minimum"], part.get("maximum", 99_999)),
    "array": lambda part: st.lists(documents(part["items"]), max_size=3),
    "object": objects,
}


def found(tmp_path: Path, document: Any) -> list[Finding]:
    path = tmp_path / "infrastructure.json"
    path.write_text(json.dumps(document, ensure_ascii=False))
    manifest, findings = read(path)
    assert manifest is not None, findings
    return list(findings)


@settings(
    max_examples=50,
    suppress_health_check=[
        *settings.default.suppress_health_check,
        HealthCheck.filter_too_much,  # most of the documents have no unheard-of key
    ],
)
@given(document=documents(SCHEMA))
def test_the_reader_has_nothing_against_the_shape_of_what_the_schema_accepts(
    tmp_path: Path, document: Any
) -> None:
    VALIDATOR.validate(document)
    assert [f.what for f in found(tmp_path, document) if SHAPE.search(f.what)] == []


ROUTES = "a: {routes: [{}]}"
INTERFACES = (
    "{interfaces: {ethernets: {a: {match: {}, routes: [{}]}}, "
    f"bonds: {{{ROUTES}}}, vlans: {{{ROUTES}}}, bridges: {{{ROUTES}}}}}}}"
)
EVERYTHING = f"""\
berksfile: {{}}
cookbooks: [a: {{}}]
data bags: [a: {{}}]
environments: [a: {{}}]
roles: [a: {{}}]
nodes: [a: {{}}]
clusters: [a: [b: {{}}]]
stackcook:
  chef_server: {{}}
  client: {{}}
  inventory: {{}}
  policy: {{}}
  snapshots_of: {{}}
  tls: {{}}
  nodes: {{a: {INTERFACES}}}
  node_defaults: {{a: {INTERFACES}}}
"""
"""A manifest with a mapping in each place that has keys of its own."""


def closed(value: Any, part: Schema) -> Iterator[dict[str, Any]]:
    """The mappings in a document that have keys of their own."""
    if isinstance(value, list):
        for item in value:
            yield from closed(item, part["items"])
    elif isinstance(value, dict):
        others = part["additionalProperties"]
        if others is False:
            yield value
        for key, below in value.items():
            yield from closed(below, part.get("properties", {}).get(key, others))


@pytest.mark.parametrize("place", range(37))
def test_both_refuse_unknown_keys(tmp_path: Path, place: int) -> None:
    document = yaml.safe_load(EVERYTHING)
    places = list(closed(document, SCHEMA))
    assert len(places) == 37
    before = sum(1 for _ in VALIDATOR.iter_errors(document))
    places[place]["unheard-of"] = None
    faults = [fault.message for fault in VALIDATOR.iter_errors(document)]
    assert len(faults) == before + 1 and any("unheard-of" in fault for fault in faults)
    whats = [finding.what for finding in found(tmp_path, document)]
    assert sum('unknown key "unheard-of"' in what for what in whats) == 1


def test_every_key_of_the_reader_is_in_the_schema_with_its_description(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: dict[str, set[str]] = {}
    fields = FieldReader.fields

    def note(
        self: FieldReader, value: Value, what: str, keys: Collection[str], *remedy: str
    ) -> Fields:
        known[what] = set(keys)
        return fields(self, value, what, keys, *remedy)

    monkeypatch.setattr(FieldReader, "fields", note)
    path = tmp_path / "infrastructure.yml"
    path.write_text(EVERYTHING)
    read(path)
    assert known == {what: set(keys) for what, keys in described("the manifest", SCHEMA)}


def described(what: str, part: Schema) -> Iterator[tuple[str, Mapping[str, Schema]]]:
    """Each mapping with keys of its own, named as in the reader's findings; all names are `a`."""
    prefix = "" if what == "the manifest" else f"{what}: "
    if keys := part.get("properties", part.get("items", {}).get("properties")):
        yield what, keys
        for name, below in keys.items():
            assert below["description"], name
            yield from described(f"{prefix}{name}", below)
    elif isinstance(body := part.get("items", part).get("additionalProperties"), dict):
        name = "b" if what == "clusters: a" else "a"
        yield from described(f"{prefix}{name}", body)
    elif body is False:
        yield what, {}
