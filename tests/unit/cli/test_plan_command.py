"""``stackcook plan``: what deploy would do, from what is there now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook.cli.main import cli

MANIFEST = """\
roles: [{controller: }, {compute: }]
nodes:
- controller: {run_list: "role[controller]"}
- compute1 compute2: {run_list: "role[compute],recipe[ntp]"}
- other:
stackcook:
  machines: ssh
  nodes:  # nothing listens at port 1
    controller: {address: 127.0.0.2, key: key, port: 1}
    compute1: {address: 127.0.0.3, key: key, port: 1}
    compute2: {address: 127.0.0.4, key: key, port: 1}
    other: {address: 127.0.0.5, key: key, port: 1}
  stages: [controller, compute]
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "repository"
    for name in ("controller", "compute"):
        path = directory / "roles" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"name": name}))
    recipe = directory / "cookbooks" / "ntp" / "recipes" / "default.rb"
    recipe.parent.mkdir(parents=True)
    recipe.touch()
    (recipe.parents[1] / "metadata.json").write_text('{"name": "ntp", "version": "1.0.0"}')
    (directory / "key").touch()
    (directory / "infrastructure.yml").write_text(f"cookbooks: [ntp]\n{MANIFEST}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(directory)
    return directory


def plan(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, ["plan", *arguments])


def test_stages_in_order(repository: Path) -> None:
    result = plan()
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "stage controller\n"
        "  controller  127.0.0.2  wait until it answers SSH, bootstrap with role[controller]\n"
        "stage compute, once the services on the nodes above answer\n"
        "  compute1    127.0.0.3  wait until it answers SSH, bootstrap with"
        " role[compute], recipe[ntp]\n"
        "  compute2    127.0.0.4  wait until it answers SSH, bootstrap with"
        " role[compute], recipe[ntp]\n"
        "stage rest, once the services on the nodes above answer\n"
        "  other       127.0.0.5  wait until it answers SSH, bootstrap with an empty run list\n"
    )


def test_json(repository: Path) -> None:
    stages = json.loads(plan("--json").stdout)["stages"]
    assert [(stage["name"], stage["after"]) for stage in stages] == [
        ("controller", []),
        ("compute", ["controller"]),
        ("rest", ["controller", "compute1", "compute2"]),
    ]
    assert stages[0]["nodes"] == [
        {
            "name": "controller",
            "address": "127.0.0.2",
            "environment": "_default",
            "run_list": ["role[controller]"],
            "machine": "make",
            "chef": "bootstrap",
        }
    ]


def test_changes_nothing(repository: Path) -> None:
    before = sorted(repository.rglob("*"))
    plan()
    assert sorted(repository.rglob("*")) == before
