"""``stackcook completion``, with a real bash; test_debian_package.py has zsh and fish."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete, ZshComplete
from click.testing import CliRunner

from stackcook.cli.context import Context
from stackcook.cli.main import cli
from tests.commands import every
from tests.output import data
from tests.started import environment


def script(shell: str) -> str:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    "line, found",
    [
        ("stackcook comp", ["completion"]),
        ("stackcook ssh comp", ["compute1"]),
        ("stackcook plan --chef", ["--chef-client"]),
        ("stackcook completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_bash_completes(line: str, found: list[str], root: Path) -> None:
    program = root / "bin" / "stackcook"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m stackcook "$@"\n')
    program.chmod(0o755)
    words = " ".join(f"'{word}'" for word in line.split(" "))
    asked = f"COMP_WORDS=({words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))"
    function = "$(complete -p stackcook | sed 's/.* -F //; s/ .*//')"
    code = f"{script('bash')}\n{asked}\n{function} stackcook\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    env = environment(PATH=f"{program.parent}:{os.environ['PATH']}")
    done = subprocess.run(["bash", "-c", code], env=env, text=True, capture_output=True)
    assert (done.stdout.split(), done.stderr) == (found, "")


FREE = {
    "init": {
        "computes",
        "controllers",
        "zones",
        "network",
        "external_network",
        "external_interface",
        "name",
        "hosts",
        "user",
        "virtual_addresses",
    },
    "preflight": {"parallel"},
    "deploy": {"parallel"},
    "verify": {"patience"},
    "probe": {"interval", "length", "timeout", "max_gap"},
    "converge": {"batch", "parallel"},
    "upload": {"keep"},
    "tunnel": {"port"},
    "up": {"ttl", "name", "pool", "parallel"},
    "ssh": {"command_line"},
    "bundle": {"releases"},
}
"""Command → parameters whose values only the user knows: numbers, names, what runs on a node."""


@pytest.mark.parametrize("name, command", [("", cli), *every(cli)], ids=lambda each: str(each))
def test_every_value_is_completed_or_free_text(name: str, command: click.Command) -> None:
    values = [each for each in command.params if not getattr(each, "is_flag", False)]
    free = set()
    for each in values:
        listed = isinstance(each.type, (click.Choice, click.Path)) or getattr(each, "count", False)
        if not listed and each._custom_shell_complete is None:
            free.add(each.name)
    assert free == FREE.get(name, set())


@pytest.mark.parametrize(
    "words, begun, found",
    [
        (["converge"], "role[", ["role[web]"]),
        (["deploy", "--limit"], "controller,comp", ["controller,compute1"]),
        (["verify", "--tempest"], "", ["smoke"]),
        (["sbom", "--format"], "c", ["cyclonedx"]),
    ],
)
def test_values(words: list[str], begun: str, found: list[str], root: Path) -> None:
    path = root / "infrastructure.yml"
    path.write_text(path.read_text().replace("recipe[a]", "role[web]"))
    settings = {"obj": Context(path)}
    completion = ShellComplete(cli, settings, "stackcook", "_STACKCOOK_COMPLETE")
    assert [each.value for each in completion.get_completions(words, begun)] == found


def test_zsh_completes_the_first_word_with_an_old_click_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    autoloaded = "if [[ $zsh_eval_context[-1] == loadautofunc ]]"
    assert script("zsh").count(autoloaded) == 1
    newer = f"#compdef stackcook\n{autoloaded}; then\n    %(complete_func)s\nfi\n"
    monkeypatch.setattr(ZshComplete, "source_template", newer)
    assert script("zsh").count(autoloaded) == 1


def test_json_has_the_script() -> None:
    result = CliRunner().invoke(cli, ["completion", "fish", "--json"])
    assert data(result.output) == {"shell": "fish", "script": script("fish")}


def test_another_shell_is_an_error() -> None:
    result = CliRunner().invoke(cli, ["completion", "ksh"])
    assert result.exit_code == 2
    assert "'ksh' is not one of 'bash', 'zsh', 'fish'" in result.output
