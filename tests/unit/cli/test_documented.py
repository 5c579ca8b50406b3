"""The commands of README.md and docs/ are ones that stackcook has, and the first ones work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from stackcook.cli.main import cli
from tests.commands import every

ROOT = Path(__file__).parents[3]
_COMMAND = re.compile(
    r"^    (?:cd \w+ && )?(?:(?:\.\./)?\.venv/bin/)?stackcook (.+?)(?: +#.*| > .*)?$|"
    r"`stackcook ([^`\n]+)`",
    re.MULTILINE,
)


def documented(text: str) -> list[str]:
    """The commands in a text, without the program's name."""
    return [match[1] or match[2] for match in _COMMAND.finditer(text)]


def every_command() -> Iterator[object]:
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        if path.name == "commands.md":
            continue  # `--help` itself: every_example has its commands
        for words in dict.fromkeys(documented(path.read_text())):
            yield pytest.param(words, id=f"{path.name}: {words}")


def every_example() -> Iterator[object]:
    for name, command in every(cli):
        for line in getattr(command, "examples").replace("\\\n", "").splitlines():
            if not line.startswith("#"):
                program, _, words = line.partition(" ")
                assert program == "stackcook", f"{name}: {line}"
                yield pytest.param(words.partition(" > ")[0], id=f"{name} --help: {words}")


@pytest.mark.parametrize("words", [*every_command(), *every_example()])
def test_the_command_and_its_options_exist(words: str) -> None:
    arguments = shlex.split(words.replace("-v COMMAND", "-v check").replace("-f FILE", "check"))
    try:
        context = cli.make_context("stackcook", arguments)
        command: click.Command = cli
        while isinstance(command, click.Group):
            rest = [*context.protected_args, *context.args]
            name, found, rest = command.resolve_command(context, rest)
            assert found is not None
            command, context = found, found.make_context(name, rest, parent=context)
    except (click.MissingParameter, click.BadOptionUsage):
        pass  # the text names a command or an option, but not what comes after it
    except click.BadParameter as error:
        assert "does not exist" in error.message  # a file of the user's


@pytest.mark.parametrize(
    "file, heading",
    [
        ("README.md", "Write your own manifest"),
        ("README.md", "Use your own hosts"),
        ("docs/hosts.md", "First steps"),
    ],
)
def test_what_init_writes_has_no_findings(
    file: str, heading: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".ssh").mkdir()
    for key in ("id_ed25519", "lab"):
        (tmp_path / ".ssh" / key).touch()
    chapter = (ROOT / file).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    first, *_ = documented(chapter)
    assert first.startswith("init ") and first.endswith(" mycloud")
    done = CliRunner().invoke(cli, shlex.split(first))
    assert done.exit_code == 0, done.output
    monkeypatch.chdir("mycloud")
    done = CliRunner().invoke(cli, ["check", "--strict"])
    assert done.exit_code == 0, done.output
    for example in re.findall(r"```yaml\n(.*?)```", chapter, re.DOTALL):
        written = yaml.safe_load(Path("infrastructure.yml").read_text())["stackcook"]
        assert written.pop("name") == "stackcook"
        assert yaml.safe_load(example) == {"stackcook": written}
