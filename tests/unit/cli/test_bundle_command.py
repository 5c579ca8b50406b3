"""``bundle``, and ``deploy --bundle``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stackcook.bundle import archive
from stackcook.cli import bundle, deploy
from stackcook.cli.main import cli
from stackcook.errors import ExitCode
from stackcook.operations import deploy as operation
from stackcook.operations.bundle import Written
from tests.fakes import FakeSite

MANIFEST = "stackcook: {machines: ssh, nodes: {one: {address: 127.0.0.2}}}\nnodes: [one]\n"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[archive.Bundle | None]:
    """The bundles that deploys are given; each deploy succeeds at once."""
    seen: list[archive.Bundle | None] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")

    def site(manifest: Any, access: Any, given: archive.Bundle | None) -> FakeSite:
        seen.append(given)
        site = FakeSite()
        site.bundle = given
        return site

    monkeypatch.setattr(deploy, "Site", site)
    monkeypatch.setattr(operation, "deploy", lambda *_, **__: ExitCode.DONE)
    return seen


def test_a_deploy_in_an_empty_directory_takes_the_repository_of_the_bundle(
    seen: list[archive.Bundle | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.write(
        tmp_path / "b.tar",
        {"nodes": {"one": {"trixie-amd64": []}}, "box": ""},
        [("repository/infrastructure.yml", MANIFEST), ("repository/roles/web.json", "{}")],
    )
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for _ in range(2):
        result = CliRunner(mix_stderr=False).invoke(cli, ["deploy", "--bundle", "../b.tar"])
        assert result.exit_code == 0, result.stderr
    assert (tmp_path / "empty/roles/web.json").exists()
    assert [given and given.has("one", "trixie-amd64") for given in seen] == [True, True]


def test_a_deploy_with_a_newer_bundle_removes_the_older_one(
    seen: list[archive.Bundle | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "infrastructure.yml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    for name in ("old.tar", "new.tar"):
        archive.write(tmp_path / name, {"nodes": {}, "box": "", "name": name}, [])
        result = CliRunner(mix_stderr=False).invoke(cli, ["deploy", "--bundle", name])
        assert result.exit_code == 0, result.stderr
    old, new = seen
    assert old and new and new.directory.is_dir() and not old.directory.exists()
    assert new.directory.is_relative_to(tmp_path / ".stackcook"), "destroy deletes it"


def test_a_bundle_that_is_none_stops_the_deploy_before_it_begins(
    seen: list[archive.Bundle | None], tmp_path: Path
) -> None:
    (tmp_path / "b.tar").write_text("none")
    result = CliRunner(mix_stderr=False).invoke(
        cli, ["deploy", "--bundle", str(tmp_path / "b.tar")]
    )
    assert result.exit_code == ExitCode.USAGE and "b.tar: is not a bundle" in result.stderr
    assert seen == []


def test_what_was_written_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "infrastructure.yml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    asked: list[Any] = []

    def write(manifest: Any, path: Path, releases: Any, say: Any) -> Written:
        asked.append(releases)
        return Written(path, 5 << 20, 2, 1, False, ("nothing",))

    monkeypatch.setattr(bundle, "write", write)
    runner = CliRunner(mix_stderr=False)
    result = runner.invoke(cli, ["bundle", "b.tar"])
    assert result.stdout == "b.tar: 2 packages, 1 cookbook, 5 MB\n"
    assert "not in the bundle: nothing" in result.stderr
    result = runner.invoke(cli, ["bundle", "--json", "--release", "bookworm", "b.tar"])
    assert json.loads(result.stdout)["data"]["unknown"] == ["nothing"]
    assert asked == [("trixie",), ("bookworm",)]
