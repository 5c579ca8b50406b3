"""The script that sees that the client is there, run by a real shell with programs of our own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from stackcook.bootstrap import install
from tests.unit.bootstrap.test_options import options


def run(tmp_path: Path, text: str, *, client: str = "") -> tuple[int, list[str]]:
    """Status, and what was run: ``client`` is the version that is there."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("apt-get", "gem", "own"):
        program = programs / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/ran\n')
        program.chmod(0o755)
    if client:
        (programs / "chef-client").write_text(f"#!/bin/sh\necho 'Chef Infra Client: {client}'\n")
        (programs / "chef-client").chmod(0o755)
    for name in ("sed", "head", "ls"):
        (programs / name).symlink_to(f"/bin/{name}")
    environment = {**os.environ, "PATH": str(programs)}
    done = subprocess.run(
        ["/bin/sh", "-s"], input=install.script(options(text)), text=True, env=environment
    )
    ran = tmp_path / "ran"
    return done.returncode, ran.read_text().splitlines() if ran.exists() else []


@pytest.mark.parametrize(
    "text",
    ["", "--bootstrap-version 18", "--bootstrap-version 18.10.17", "--bootstrap-version latest"],
)
def test_what_is_there_and_wanted_is_kept(tmp_path: Path, text: str) -> None:
    assert run(tmp_path, text, client="18.10.17") == (0, [])


def test_without_a_client_the_locked_gems_are_installed(tmp_path: Path) -> None:
    status, ran = run(tmp_path, "--bootstrap-version 18.10")
    assert status == 0
    assert [line.split()[0] for line in ran] == ["apt-get", "apt-get", "gem"]
    assert "--ignore-dependencies" in ran[-1] and " chef:18.10.17 " in ran[-1]
    assert "bootsnap" not in ran[-1]  # Chef starts as Chef ships it


@pytest.mark.parametrize("wanted, asked", [("17.10", "~>17.10.0"), ("17.9.26", "17.9.26")])
def test_another_version_is_installed_over_it(tmp_path: Path, wanted: str, asked: str) -> None:
    _, ran = run(tmp_path, f"--bootstrap-version {wanted}", client="18.10.17")
    assert ran[-1] == f"gem install --no-document chef:{asked} chef-bin:{asked}"


def test_the_user_s_own_commands_are_run_instead_and_before(tmp_path: Path) -> None:
    text = "--bootstrap-install-command 'own install' --bootstrap-preinstall-command 'own before'"
    assert run(tmp_path, text) == (0, ["own before", "own install"])


def test_what_fails_ends_it(tmp_path: Path) -> None:
    status, ran = run(tmp_path, "--bootstrap-preinstall-command false")
    assert status != 0 and ran == []
