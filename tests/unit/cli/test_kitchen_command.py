"""``stackcook kitchen``; tests/acceptance/test_kitchen.py uses what it prints."""

from __future__ import annotations

from pathlib import Path

import yaml
from click.testing import CliRunner, Result

from stackcook.cli.main import cli
from tests.fakes import FakeSite
from tests.output import data


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, arguments)


def test_all_nodes_but_windows_hosts_are_platforms(root: Path, site: FakeSite) -> None:
    assert run("deploy").exit_code == 0
    manifest = root / "infrastructure.yml"
    text = manifest.read_text().replace("nodes:", "nodes:\n- windows_ssh desk: {}", 1)
    manifest.write_text(text)
    result = run("kitchen")
    assert result.exit_code == 0, result.stderr
    names = [platform["name"] for platform in yaml.safe_load(result.stdout)["platforms"]]
    assert names == ["controller", "compute1"]
    found = data(run("kitchen", "--json").stdout)
    assert (found["yaml"], found["nodes"]) == (result.stdout, names)


def test_only_windows_hosts_are_an_error(root: Path, site: FakeSite) -> None:
    assert run("deploy").exit_code == 0
    (root / "infrastructure.yml").write_text("nodes:\n- windows_ssh desk: {}\n")
    result = run("kitchen")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no node is reached by SSH" in result.stderr


def test_a_cloud_that_is_not_deployed_is_an_error(root: Path) -> None:
    result = run("kitchen")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nothing is deployed here; run `stackcook deploy`" in result.stderr
