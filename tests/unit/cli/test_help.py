"""What ``--help`` and ``stackcook help`` show, on narrow terminals, too."""

from __future__ import annotations

import inspect
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from stackcook.cli import help
from stackcook.cli.help import EXIT_CODES
from stackcook.cli.main import COMMANDS, GROUPS, cli
from stackcook.errors import ExitCode
from tests.commands import every
from tests.output import data
from tests.started import environment

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
ALL = [("", cli), *every(cli)]


def run(*arguments: str, columns: int = 80) -> Result:
    return CliRunner(mix_stderr=False).invoke(
        cli, arguments, prog_name="stackcook", terminal_width=min(columns, 100) - 2
    )


@pytest.mark.parametrize("columns", [60, 72, 80, 100])
@pytest.mark.parametrize("name, command", ALL, ids=[name or "stackcook" for name, _ in ALL])
def test_help_fits_the_terminal_and_breaks_no_word(
    name: str, command: click.Command, columns: int
) -> None:
    text = run(*name.split(), "--help", columns=columns).stdout
    assert [line for line in text.splitlines() if len(line) > columns] == []
    written = inspect.cleandoc(command.help or "").replace("\b", "")
    for parameter in command.params:
        written += f" {getattr(parameter, 'help', None) or ''}"
    missing = set(written.split()) - set(text.split())
    assert not missing
    assert "..." not in re.sub(r"\]\.\.\.", "", text), "an explanation is cut off"


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("name", ["", "deploy"])
def test_help_has_the_width_of_the_terminal(name: str, columns: int) -> None:
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, columns))
    command = [sys.executable, "-m", "stackcook", *name.split(), "--help"]
    subprocess.run(command, stdout=its, env=environment(COLUMNS=""), check=True)
    os.close(its)
    shown = os.read(ours, 1 << 16).decode().splitlines()
    os.close(ours)
    assert columns - 10 < max(map(len, shown)) <= columns


@pytest.mark.parametrize("name", [name for name, _ in every(cli)])
def test_help_ends_with_examples_of_the_command(name: str) -> None:
    examples = run(*name.split(), "--help").stdout.partition("\nExamples:\n")[2]
    assert f"  stackcook {name}" in examples


def test_the_page_of_all_commands_is_their_help() -> None:
    argv = [sys.executable, str(ROOT / "setup/command-page")]
    written = subprocess.run(argv, env=environment(), check=True, capture_output=True, text=True)
    page = (ROOT / "docs/commands.md").read_text()
    assert page == written.stdout, "run `make docs`, and look at what has changed"
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == [
        f"stackcook {name}".strip() for name, _ in ALL
    ]


def test_help_lists_each_command_once_in_its_group() -> None:
    lines = run("--help").stdout.splitlines()
    begin = lines.index("Start here:")
    shown = [line.split()[0] for line in lines[begin:] if re.match(r"  \w", line)]
    assert shown == COMMANDS
    assert [line[:-1] for line in lines[begin:] if line.endswith(":")] == [*GROUPS]


def test_no_file_of_a_command_is_left_out_of_help() -> None:
    folder = Path(help.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if "\ndef command(" in path.read_text()}
    assert files == set(COMMANDS)


@pytest.mark.parametrize("words", [[], ["deploy"], ["node", "remove"], ["help"]])
def test_help_of_a_command(words: list[str]) -> None:
    done = run("help", *words)
    assert done.exit_code == 0
    assert done.stdout == run(*words, "--help").stdout


def test_help_on_something_else() -> None:
    done = run("help", "node", "remvoe")
    assert done.exit_code == ExitCode.USAGE
    assert done.stderr == "no help on node remvoe; did you mean remove?\n"
    assert "did you mean exit-codes?" in run("help", "exit-code").stderr
    assert "run `stackcook help`" in run("help", "xyz").stderr
    assert "no help on deploy now" in run("help", "deploy", "now").stderr


def test_exit_codes_are_those_of_the_readme() -> None:
    assert set(EXIT_CODES) == set(ExitCode)
    table = README.read_text().partition("| exit code | meaning |\n|---|---|\n")[2]
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", table.partition("\n\n")[0], re.MULTILINE))
    assert rows == {str(int(code)): meaning for code, meaning in EXIT_CODES.items()}
    words = run("help", "exit-codes", columns=60).stdout.split()
    for number, meaning in rows.items():
        at = words.index(number)
        assert words[at + 1 :][: len(meaning.split())] == meaning.split()


def test_help_as_json() -> None:
    shown = data(run("help", "exit-codes", "--json").stdout)
    assert shown["topic"] == "exit-codes" and "130  interrupted" in shown["text"]
    assert data(run("help", "--json").stdout)["topic"] is None
