"""``stackcook box build --warm``, where the boxes exist already."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook.cli import main
from stackcook.errors import ExitCode
from stackcook.machines.box import ORDINARY, Box
from tests.output import data

MANIFEST = """\
cookbooks: [app: ]
nodes:
- db: {run_list: "recipe[app::db]"}
- compute1: &compute {run_list: "recipe[app::compute]"}
- compute2: *compute
- idle: {run_list: "recipe[app::idle]"}
stackcook:
  nodes: {}
"""


def build(root: Path, monkeypatch: pytest.MonkeyPatch, *words: str, db: str) -> Result:
    for path, text in {
        "infrastructure.yml": MANIFEST,
        "cookbooks/app/metadata.json": '{"name": "app"}',
        "cookbooks/app/recipes/db.rb": db,
        "cookbooks/app/recipes/compute.rb": db and "openstack_packages 'nova-compute'",
        "cookbooks/app/recipes/idle.rb": "",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    monkeypatch.setattr(Box, "build", lambda *_, **__: None)
    monkeypatch.setattr(Box, "added", lambda _: True)
    monkeypatch.chdir(root)
    arguments = ["box", "build", "--warm", *words]
    return CliRunner(mix_stderr=False).invoke(main.cli, arguments, prog_name="stackcook")


def test_a_box_for_each_set_of_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = build(tmp_path, monkeypatch, "--json", db="package 'mariadb-server'")
    assert result.exit_code == ExitCode.DONE, result.stdout
    found = data(result.stdout)
    assert found["name"] == ORDINARY.name
    assert [warm["nodes"] for warm in found["warm"]] == [["db"], ["compute1", "compute2"]]
    assert all(warm["name"].startswith(ORDINARY.name) for warm in found["warm"])
    shown = build(tmp_path, monkeypatch, db="package 'mariadb-server'").stdout.splitlines()
    assert shown[1] == f"{found['warm'][1]['path']}  compute1  compute2"


def test_without_packages_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = build(tmp_path, monkeypatch, db="")
    assert result.exit_code == ExitCode.USAGE
    assert "no recipe of the manifest's nodes names packages" in result.stderr
