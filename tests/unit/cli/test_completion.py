"""``stackcook completion``, with a real bash; test_debian_package.py has zsh and fish."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ZshComplete
from click.testing import CliRunner

from stackcook.cli.main import cli
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
