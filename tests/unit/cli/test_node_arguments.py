"""Commands that take a node: its name completed, its command left alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from stackcook.cli.main import cli

MANIFEST = """\
nodes:
- controller compute1:
stackcook:
  machines: ssh
  nodes:
    controller: {address: 127.0.0.2, user: debian, key: key, port: 2222}
    compute1: {address: 127.0.0.3, key: key}
"""


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    (tmp_path / "key").touch()
    path = tmp_path / "infrastructure.yml"
    path.write_text(MANIFEST)
    return str(path)


@pytest.mark.parametrize("command", ["converge", "logs", "ssh", "deploy --limit", "plan --limit"])
def test_names_are_completed(manifest: str, command: str) -> None:
    complete = ShellComplete(cli, {}, "stackcook", "_STACKCOOK_COMPLETE")
    found = complete.get_completions(["-f", manifest, *command.split()], "co")
    assert [item.value for item in found] == ["controller", "compute1"]


@pytest.mark.parametrize(
    "begun, found",
    [
        ("controller,co", ["controller,controller", "controller,compute1"]),
        ("role[", ["role[web]"]),
        ("co*", ["co*"]),
        ("compute[1-1],contr*", ["compute[1-1],contr*"]),
        ("compute[1-", []),
        ("mail*", []),
    ],
)
def test_what_selects_several_nodes_is_completed(
    manifest: str, begun: str, found: list[str]
) -> None:
    Path(manifest).write_text(
        MANIFEST.replace("- controller compute1:", "- controller compute1: {run_list: 'role[web]'}")
    )
    complete = ShellComplete(cli, {}, "stackcook", "_STACKCOOK_COMPLETE")
    for command in (["deploy", "--limit"], ["converge"]):
        items = complete.get_completions(["-f", manifest, *command], begun)
        assert [item.value for item in items] == found


@pytest.mark.parametrize(
    "command, remedy",
    [("converge", 'did you mean "compute1"?'), ("ssh", "use one of controller, compute1")],
)
def test_unknown_node(manifest: str, command: str, remedy: str) -> None:
    result = CliRunner(mix_stderr=False).invoke(cli, ["-f", manifest, command, "compute2"])
    assert result.exit_code == 2
    assert result.stderr == f"unknown node compute2; {remedy}\n"


def test_options_of_the_command_on_the_node_are_its_own(
    manifest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(os, "execv", lambda program, argv: seen.append(argv))
    arguments = ["-f", manifest, "ssh", "controller", "df", "-h", "--json"]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    (argv,) = seen
    assert argv[-5:] == ["--", "127.0.0.2", "df", "-h", "--json"]
    assert "debian" in argv and "2222" in argv
