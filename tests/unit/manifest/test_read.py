"""Files that can't be read, and input that nobody would write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackcook.errors import Position
from stackcook.manifest.read import SECTIONS, read

REPOSITORY = Path(__file__).parents[3]

KEYS = [
    *SECTIONS,
    *"name machines network stages chef_server url key address memory cpus port <<".split(),
    *"run_list items secret version passwords".split(),
]
WORDS = [*"vagrant ssh role[base] recipe[a::b] base * 4G 10.0.112.0/24 10.0.112.10".split(), "-E x"]

# The same examples everywhere, however slow the machine; more of them: max_examples.
FUZZ = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def one_line(path: Path) -> str:
    manifest, findings = read(path)
    assert manifest is None
    (finding,) = findings
    return str(finding).removeprefix(str(path))


def test_repository_manifest_has_no_findings() -> None:
    manifest, findings = read(REPOSITORY / "infrastructure.yml")
    assert not findings
    assert manifest is not None
    assert {node.name: (str(node.address), node.environment) for node in manifest.nodes} == {
        "controller": ("10.0.112.10", "lab"),
        "compute1": ("10.0.112.11", "lab"),
    }
    assert [[node.name for node in nodes] for _, nodes in manifest.staged()] == [
        ["controller"],
        ["compute1"],
    ]


def test_missing_file(tmp_path: Path) -> None:
    shown = one_line(tmp_path / "infrastructure.yml")
    assert shown == ": error: no such file or directory; name the manifest with -f FILE"


def test_directory(tmp_path: Path) -> None:
    assert one_line(tmp_path) == ": error: is a directory; name the manifest with -f FILE"


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_bytes(b"roles:\n- caf\xe9\n")
    assert one_line(path) == ":2:6: error: byte 0xe9 is not UTF-8; save the file as UTF-8"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="deep flow"),
        pytest.param("- " * 100_000, id="deep block"),
        pytest.param("a: &a [*a]", id="circular"),
        pytest.param("\x07", id="control character"),
        pytest.param("%YAML 9", id="other YAML"),
    ],
)
def test_input_that_breaks_parsers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_text(text)
    manifest, findings = read(path)
    assert manifest is None and len(findings) == 1


def test_findings_are_one_line_whatever_they_quote(tmp_path: Path) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_text('"a\\nb\\e[31m": 1\n')
    (line,) = [str(finding) for finding in read(path)[1]]
    assert line.isprintable()


def test_ten_thousand_nodes(tmp_path: Path) -> None:
    """Nothing in the reader looks at every node for each node; timed in benchmarks/."""
    names = [f"n{number}" for number in range(10_000)]
    seats = {
        name: {"address": f"10.0.{number // 250}.{number % 250 + 2}"}
        for number, name in enumerate(names)
    }
    path = tmp_path / "infrastructure.json"
    settings_ = {"network": "10.0.0.0/16", "nodes": seats}
    path.write_text(json.dumps({"nodes": [{name: None} for name in names], "stackcook": settings_}))
    manifest, findings = read(path)
    assert not findings
    assert manifest is not None and len(manifest.nodes) == 10_000


def values() -> st.SearchStrategy[Any]:
    scalars = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates()
    )
    leaves = st.one_of(st.sampled_from(WORDS), scalars)
    keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=4))
    return st.recursive(
        leaves,
        lambda below: st.one_of(
            st.lists(below, max_size=4), st.dictionaries(keys, below, max_size=4)
        ),
        max_leaves=20,
    )


def manifests() -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(KEYS), values(), max_size=6)


@FUZZ
@given(text=st.one_of(manifests().map(yaml.safe_dump), st.text("-:{}[]&*!|>'\"\n #%@,?ax1<")))
def test_no_yaml_raises(tmp_path: Path, text: str) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_text(text)
    check_findings(path)


@FUZZ
@given(manifest=manifests())
def test_no_json_raises(tmp_path: Path, manifest: Any) -> None:
    path = tmp_path / "infrastructure.json"
    path.write_text(json.dumps(manifest, default=str))
    check_findings(path)


@FUZZ
@given(content=st.binary())
def test_no_bytes_raise(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_bytes(content)
    check_findings(path)


def check_findings(path: Path) -> None:
    """A manifest or a reason why not, each reason one line at a place that is there."""
    manifest, findings = read(path)
    lines = len(path.read_bytes().decode(errors="replace").splitlines()) + 1  # or just after it
    assert manifest is not None or findings
    for finding in findings:
        assert "\n" not in str(finding)
        assert finding.position is None or Position(1, 1) <= finding.position < Position(
            lines + 1, 1
        )
