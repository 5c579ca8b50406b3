"""Files that can't be read, and manifests beyond the small ones of tests/cases."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import NoReturn

import pytest

from stackcook.command import find_program
from stackcook.manifest.read import TO_JSON, read

REPOSITORY = Path(__file__).parents[3]


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


@pytest.mark.parametrize(
    ("text", "instance"),
    [
        ("name: lab", None),
        ("verify:", None),
        ("verify: []", None),
        ("verify: services", False),
        ("verify: [services]", False),
        ("verify: [services, instance]", True),
        ("verify: [instance]", True),
    ],
)
def test_whether_instances_are_verified(tmp_path: Path, text: str, instance: bool | None) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_text(f"stackcook:\n  machines: ssh\n  {text}\n")
    manifest, findings = read(path)
    assert manifest and not findings
    assert manifest.verify_instance is instance


@pytest.mark.parametrize(
    ("text", "on"), [("name: lab", True), ("firewall: nodes", True), ("firewall: none", False)]
)
def test_whether_nodes_have_a_firewall(tmp_path: Path, text: str, on: bool) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_text(f"stackcook:\n  machines: ssh\n  {text}\n")
    manifest, findings = read(path)
    assert manifest and not findings
    assert manifest.firewall is on


def test_missing_file(tmp_path: Path) -> None:
    shown = one_line(tmp_path / "infrastructure.yml")
    remedy = "name the manifest with -f FILE, or write one with `stackcook init`"
    assert shown == f": error: no such file or directory; {remedy}"


def test_directory(tmp_path: Path) -> None:
    assert one_line(tmp_path) == ": error: is a directory; name the manifest with -f FILE"


def test_a_path_that_is_not_utf8(tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"caf\xe9")
    directory.mkdir()
    (directory / "infrastructure.yml").write_text("roles: [{a: }]\n")
    manifest, (finding,) = read(directory / "infrastructure.yml")
    assert manifest is None
    assert str(finding).endswith(
        "caf?/infrastructure.yml is not UTF-8; rename the file, or the directory that it is in"
    )
    assert ": error: its path /" in str(finding)


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
    given = {
        name: {"address": f"10.0.{number // 250}.{number % 250 + 2}"}
        for number, name in enumerate(names)
    }
    path = tmp_path / "infrastructure.json"
    settings = {"network": "10.0.0.0/16", "nodes": given}
    path.write_text(json.dumps({"nodes": [{name: None} for name in names], "stackcook": settings}))
    manifest, findings = read(path)
    assert not findings
    assert manifest is not None and len(manifest.nodes) == 10_000


RANGES = """\
nodes:
- compute[0001-1000]: {run_list: "role[compute]"}
stackcook:
  machines: MACHINES
  NETWORK
  nodes:
    compute[0001-1000]: {address: "ADDRESS"}
    compute0500: {PLACE}
"""


@pytest.mark.parametrize(
    "machines, network, address, place",
    [
        ("vagrant", "network: 10.0.0.0/16", "10.0.[1-10].[1-100]", "memory: 8G"),
        ("vagrant", "network: 10.0.0.0/8", "10.0.[1-10].[1-100]", "memory: 8G"),
        ("ssh", "network: 10.0.0.0/16", "10.0.[1-10].[1-100]", "user: debian"),
        ("ssh", "verify: services", "fd00::[1-1000]", "user: debian"),
    ],
)
def test_a_range_costs_what_its_nodes_cost(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    machines: str,
    network: str,
    address: str,
    place: str,
) -> None:
    """Nothing lists the addresses of a network: a /64 has more than any machine can list."""

    def refuse(network: object) -> NoReturn:
        raise AssertionError(f"the addresses of {network} are listed")

    for kind in (IPv4Network, IPv6Network):
        monkeypatch.setattr(kind, "__iter__", refuse)
        monkeypatch.setattr(kind, "hosts", refuse)
    text = RANGES.replace("MACHINES", machines).replace("NETWORK", network)
    path = tmp_path / "infrastructure.yml"
    path.write_text(
        f"options: -i {path}\n" + text.replace("ADDRESS", address).replace("PLACE", place)
    )
    began = time.process_time()
    manifest, findings = read(path)
    assert time.process_time() - began < 5  # it takes 0.1 s
    assert not findings and manifest is not None
    assert len({node.address for node in manifest.nodes}) == len(manifest.nodes) == 1000
    node = manifest.node("compute0500")
    assert node and (node.memory == 8192 or node.user == "debian")


def test_a_mistake_in_a_range_is_one_finding(tmp_path: Path) -> None:
    path = tmp_path / "infrastructure.yml"
    text = RANGES.replace("MACHINES", "vagrant").replace("NETWORK", "network: 10.0.0.0/16")
    path.write_text(text.replace("ADDRESS", "10.1.[1-10].[1-100]").replace("PLACE", "cpus: 2"))
    (finding,) = read(path)[1]
    assert finding.what.endswith("10.1.1.1 is outside the network 10.0.0.0/16 (and 999 more)")


def test_a_manifest_in_ruby_becomes_one_that_is_read(tmp_path: Path) -> None:
    """The command that the finding names, run by a shell with the real Ruby."""
    path = tmp_path / "my infrastructure.rb"
    path.write_text("bases = %w(web db)\n{ roles: bases.map { |name| { name => nil } } }\n")
    remedy = one_line(path).partition("; ")[2]
    command = remedy[remedy.index(TO_JSON) :]
    assert command.startswith(shlex.join(shlex.split(TO_JSON)[:1]))
    find_program("ruby")
    subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=True, timeout=60)
    manifest, findings = read(tmp_path / "my infrastructure.json")
    assert not findings
    assert manifest is not None and [role.text for role in manifest.roles] == ["web", "db"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("infrastructure.yml", "nodes:\n- {}:\n"),
        ("infrastructure.json", '{{"nodes": [{{"{}": 1}}]}}'),
    ],
)
def test_a_key_that_is_too_long_for_yaml(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text.format(" ".join(f"web{number}.example.com" for number in range(100))))
    remedy = "; list these names in several entries: a key has at most 1024 characters"
    assert one_line(path).endswith(remedy)


def test_what_was_meant_among_many_names(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(300)]
    given = {"n299x": {"address": "192.0.2.1"}, "web": {"address": "192.0.2.2"}}
    path = tmp_path / "infrastructure.json"
    settings = {"machines": "ssh", "nodes": given}
    path.write_text(json.dumps({"nodes": names, "options": f"-i {path}", "stackcook": settings}))
    assert [finding.remedy for finding in read(path)[1]] == [
        'did you mean "n299"?',
        "correct the name: none of the 300 known names is similar",
    ]


def test_line_ends_of_all_kinds_count_in_positions(tmp_path: Path) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_bytes(b"roles:\r- base\r\n- web\n- \xe9")
    assert one_line(path).startswith(":4:3: error: byte 0xe9 is not UTF-8")
