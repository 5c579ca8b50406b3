"""What is written is what is read: by PyYAML, by the manifest's own reader, by Ruby."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stackcook.command import find_program
from stackcook.manifest.document import List, Map, Value, parse
from stackcook.scaffold.emit import Section, as_data, as_json, as_yaml, emit

HARD = [
    *("", " ", "a ", " a", "a b", "a  b", "~", "null", "Yes", "n", "true", "-", "- a", "-E lab"),
    *("1", "1.0", "1.2.3", "10.0.0.1", "10.0.0.0/24", "1e3", "0x1f", "1_000", "12:30", "+1"),
    *("2001-01-01", ".inf", ".5", "=", "<<", "---", "...", "#a", "a #b", "a: b", "a:", ":a", "?"),
    *("role[a]", "{a}", "[", "*", "&a", "!a", "%a", "@a", "`a", "|", ">", "'", '"', "\\", "{{n}}"),
    *("a\nb", "\t", "\r\n", "\x00", "\x7f", "\x85", "\xa0", "\u2028", "\ufeff", "\ufffe", "é", "😀"),
]
texts = st.text() | st.sampled_from(HARD) | st.from_regex(r"[\w .:~#-]{1,8}")
keys = texts.filter(lambda text: text != "<<")  # merges, for the manifest's reader
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def plain(value: Value) -> Any:
    """What the manifest's reader understands: texts, lists and mappings."""
    if isinstance(value, Map):
        return {key.text: plain(inner) for key, inner in value.entries}
    if isinstance(value, List):
        return [plain(inner) for inner in value.items]
    return None if value.null else value.text


def as_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_texts(inner) for inner in value]
    return value if value is None or isinstance(value, str) else json.dumps(value)


@given(values)
def test_pyyaml_reads_what_was_written(value: Any) -> None:
    assert yaml.safe_load(emit(value)) == value


@given(values)
def test_the_manifest_s_reader_does(value: Any) -> None:
    document, findings = parse(Path("m.yml"), emit(value).encode())
    assert document is not None and plain(document) == as_texts(value) and not findings


def test_ruby_does() -> None:
    """The Vagrantfile reads the manifest, and spiceweasel can."""
    value = {"texts": HARD, "maps": [{text: [text]} for text in HARD if text != "<<"]}
    script = "require 'yaml'; require 'json'; puts JSON.generate(YAML.safe_load($stdin.read))"
    done = subprocess.run(
        [find_program("ruby"), "-Ku", "-e", script],
        input=emit(value).encode(),
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == value


@pytest.mark.parametrize(
    "value, text",
    [
        ({"roles": [{"base": None}]}, "roles:\n- base:\n"),
        ({"items": ["a", "b"]}, "items: [a, b]\n"),
        ({"items": ["a" * 60, "b" * 60]}, f"items:\n- {'a' * 60}\n- {'b' * 60}\n"),
        ([{"a": {"version": "1.2.3", "cpus": 2}}], "- a: {version: 1.2.3, cpus: 2}\n"),
        ({"n": "Yes"}, '"n": "Yes"\n'),
        ({"nodes": {"a": {"address": "10.0.0.1"}}}, "nodes:\n  a: {address: 10.0.0.1}\n"),
        ({"options": "-E lab", "none": [], "v": "1.0"}, 'options: -E lab\nnone: []\nv: "1.0"\n'),
    ],
    ids="null short-list long-list map-in-list no-bool map-of-maps scalars".split(),
)
def test_form(value: Any, text: str) -> None:
    assert emit(value) == text


def test_manifest_with_comments() -> None:
    sections = (
        Section("roles", [{"a": None}], ("One\nline", "x" * 99)),
        Section("options", "-E b"),
    )
    text = as_yaml(["Head " * 25], sections)
    assert text == (
        f"# {'Head ' * 18}Head\n# {'Head ' * 5}Head\n\n"
        f"# One line\n# {'x' * 99}\nroles:\n- a:\n\noptions: -E b\n"
    )
    assert yaml.safe_load(text) == json.loads(as_json(sections)) == as_data(sections)
