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
from tests.commands import examples, parsed
from tests.pages import blocks, chapter
from tests.started import ROOT

_PROMPT = r"(?:[A-Z_]+=\S+ |sudo |\$ )*(?:(?:\.\./)?\.venv/bin/)?"
_LINE = re.compile(rf"^ *(?:cd \S+ && )?{_PROMPT}stackcook (.+?)(?: +#.*| > .*)?$", re.MULTILINE)
_WORDS = re.compile(r"`stackcook ([^`\n]+)`")


def documented(text: str) -> list[str]:
    """The commands in a page's blocks of code and in its sentences, without the program's name."""
    text = text.replace("\\\n", "")
    return [
        *(words for block in blocks(text) for words in _LINE.findall(block)),
        *_WORDS.findall(text),
    ]


def every_command() -> Iterator[object]:
    pages = {ROOT / "README.md", *(ROOT / "docs").rglob("*.md")}
    for path in sorted(pages - {ROOT / "docs/reference/commands.md"}):  # made of the commands
        for words in dict.fromkeys(documented(path.read_text())):
            if "…" not in words and not words.startswith("COMMAND"):
                yield pytest.param(words, id=f"{path.relative_to(ROOT)}: {words}")


def every_example() -> Iterator[object]:
    for name, words in examples(cli):
        yield pytest.param(words, id=f"{name} --help: {words}")


@pytest.mark.parametrize("words", [*every_command(), *every_example()])
def test_the_command_and_its_options_exist(words: str) -> None:
    words = re.sub(r"--cloud \S+ (?:COMMAND…?)?", "", words) or "check"  # clouds of the reader's
    arguments = shlex.split(words.replace("-v COMMAND", "-v check").replace("-f FILE", "check"))
    try:
        parsed(cli, arguments)
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
        ("docs/first-cloud.md", "Deploy"),
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
    text = chapter(file, heading)
    first, *_ = documented(text)
    assert first.startswith("init ") and first.endswith(" mycloud")
    done = CliRunner().invoke(cli, shlex.split(first))
    assert done.exit_code == 0, done.output
    monkeypatch.chdir("mycloud")
    done = CliRunner().invoke(cli, ["check", "--strict"])
    assert done.exit_code == 0, done.output
    for example in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        written = yaml.safe_load(Path("infrastructure.yml").read_text())["stackcook"]
        assert written.pop("name") == "stackcook"
        assert yaml.safe_load(example) == {"stackcook": written}
