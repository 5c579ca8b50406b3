"""Whatever is read, there is no exception: only findings, each at a place that is there."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stackcook.command import Command, Completed, Say
from stackcook.manifest import nodes
from stackcook.manifest.read import SECTIONS, read
from stackcook.manifest.nodesettings import KEYS as NODE_KEYS
from stackcook.manifest.settings import KEYS
from tests.runner import FakeRun

OURS = (Path(__file__).parents[3] / "infrastructure.yml").read_text()
CASES = Path(__file__).parents[2] / "cases" / "spiceweasel.yml"
THEIRS = next(yaml.safe_load_all(CASES.read_text()))["manifest"]

NAMES = [
    *(*SECTIONS, *KEYS, *NODE_KEYS, *nodes.KEYS),
    *"url key items secret version path lock group << {{n}} windows_ssh".split(),
    *"file command groups".split(),
    *("ec2 3", "google a", "web1 web2", "a{{n}}", "web[1-3]", "web[2-", "compute[1-2]"),
]
WORDS = [
    *"vagrant ssh role[base] recipe[a::b] base * 4G 10.0.112.0/24 10.0.112.10 Berksfile".split(),
    *("10.0.112.[10-12]", "fd00::[1-2]", "web[1-3]", "[9-1]"),
    *("-E x", "-N {{n}}", "-p 99999", "-i", "'", "--policy-name a", "role[a],recipe[b]"),
]


def trees() -> st.SearchStrategy[Any]:
    scalars = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates()
    )
    leaves = st.one_of(st.sampled_from(WORDS), scalars)
    keys = st.one_of(st.sampled_from(NAMES), st.text(max_size=4))
    return st.recursive(
        leaves,
        lambda below: st.one_of(
            st.lists(below, max_size=4), st.dictionaries(keys, below, max_size=4)
        ),
        max_leaves=20,
    )


def manifests() -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(SECTIONS), trees(), max_size=6)


@given(text=st.one_of(manifests().map(yaml.safe_dump), st.text("-:{}[]&*!|>'\"\n\r\t #%@,?ax1<")))
def test_no_yaml_raises(tmp_path: Path, text: str) -> None:
    check(tmp_path / "infrastructure.yml", text)


@given(manifest=manifests())
def test_no_json_raises(tmp_path: Path, manifest: Any) -> None:
    text = json.dumps(manifest, default=str)
    check(tmp_path / "infrastructure.json", text)
    check(tmp_path / "infrastructure.yml", text)


@given(content=st.binary())
def test_no_bytes_raise(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_bytes(content)
    check_findings(path)


@pytest.mark.parametrize("section", [*SECTIONS, *(f"stackcook: {key}" for key in KEYS)])
@settings(max_examples=15)
@given(tree=trees())
def test_no_tree_in_the_place_of_a_section_raises(tmp_path: Path, section: str, tree: Any) -> None:
    manifest = yaml.safe_load(OURS)
    name, _, key = section.partition(": ")
    (manifest[name] if key else manifest)[key or name] = tree
    check(tmp_path / "infrastructure.yml", yaml.safe_dump(manifest))


@given(data=st.data())
def test_no_tree_anywhere_in_a_manifest_raises(tmp_path: Path, data: st.DataObject) -> None:
    manifest = copy.deepcopy(
        data.draw(st.sampled_from([yaml.safe_load(OURS), yaml.safe_load(THEIRS)]))
    )
    container, key = data.draw(st.sampled_from([*places(manifest)]))
    container[key] = data.draw(trees())
    check(tmp_path / "infrastructure.yml", yaml.safe_dump(manifest))


@given(
    text=st.sampled_from([OURS, THEIRS]),
    spots=st.lists(
        st.tuples(
            st.floats(0, 1), st.integers(0, 6), st.sampled_from([*WORDS, *" \n\t:-[]{}\"'&*#,"])
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_no_slip_of_the_keyboard_raises(
    tmp_path: Path, text: str, spots: list[tuple[float, int, str]]
) -> None:
    """Pieces of a manifest that is good are taken out, and others put in their places."""
    for where, length, piece in spots:
        start = int(where * len(text))
        text = text[:start] + piece + text[start + length :]
    check(tmp_path / "infrastructure.yml", text)


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Each container in a tree with each of its keys or indexes."""
    found = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, below in [*found]:
        yield tree, key
        if isinstance(below, (dict, list)):
            yield from places(below)


def check(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    check_findings(path)


def check_findings(path: Path) -> None:
    """A manifest or reasons why not, in order, each a line with a remedy and a place."""
    manifest, findings = read(path)
    assert manifest is not None or findings
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", text)
    positions = []
    for finding in findings:
        assert finding.what and finding.remedy
        assert str(finding).isprintable()
        assert finding.position is not None
        assert 1 <= finding.position.line <= len(lines), finding
        assert 1 <= finding.position.column <= len(lines[finding.position.line - 1]) + 1, finding
        positions.append(finding.position)
    if manifest is not None:
        assert positions == sorted(positions, key=lambda at: (at.line, at.column))


LINES = [
    *("[compute]", "[all:vars]", "[site:children]", "[", "[x:y]", "compute", "site", "a", "b[1:3]"),
    *("c[a:c]", "c[2:1]", "d:22", "d:", "x=y", "=", "'", "# a", "ansible_host=10.0.0.1", "{{a}}"),
    *("ansible_port=0", "ansible_host=", "\n", "\n", "\n", "\t"),
]


@given(words=st.lists(st.sampled_from(LINES), max_size=30))
def test_no_hosts_file_raises(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "hosts").write_text(" ".join(words))
    check_inventory(tmp_path, {"file": "hosts"}, None)


@given(text=st.text())
def test_no_text_as_a_hosts_file_raises(tmp_path: Path, text: str) -> None:
    (tmp_path / "hosts").write_text(text, errors="surrogatepass", newline="")
    check_inventory(tmp_path, {"file": "hosts"}, None)


BELOW = st.recursive(
    st.sampled_from([None, 1, "a", "compute", "site", "10.0.0.1", [], {}]),
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.dictionaries(st.sampled_from(["a", "ansible_host"]), below, max_size=2),
    ),
    max_leaves=5,
)
GROUP = st.dictionaries(st.sampled_from(["hosts", "children", "vars", "hostvars"]), BELOW)


@given(
    content=st.dictionaries(
        st.sampled_from(["compute", "site", "all", "_meta"]), st.one_of(GROUP, BELOW)
    )
)
def test_no_inventory_of_a_command_raises(tmp_path: Path, content: Any) -> None:
    check_inventory(tmp_path, {"command": ["hosts"]}, Prints(json.dumps(content)))


@given(text=st.text(alphabet='{}[]":,1a'))
def test_no_text_of_a_command_raises(tmp_path: Path, text: str) -> None:
    check_inventory(tmp_path, {"command": ["hosts"]}, Prints(text))


@dataclass
class Prints(FakeRun):
    """A program that prints ``text``."""

    text: str

    def answer(self, command: Command, say: Say) -> Completed:
        return Completed(0, self.text)


def check_inventory(root: Path, source: Mapping[str, Any], run: FakeRun | None) -> None:
    """The manifest with this inventory can be read, and each finding has its place."""
    path = root / "infrastructure.yml"
    groups = {"compute": "role[compute]", "site": "nginx", "all": "role[base]"}
    path.write_text(json.dumps({"stackcook": {"inventory": {**source, "groups": groups}}}))
    manifest, findings = read(path, run)
    assert manifest is not None
    assert {finding.path for finding in findings} <= {path, root / "hosts"}
    assert all(finding.position and str(finding).isprintable() for finding in findings)
