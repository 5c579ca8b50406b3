"""``stackcook doctor`` names what is missing and the command that brings it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from stackcook import doctor
from stackcook.cli.main import cli
from stackcook.doctor import Tool, diagnose
from stackcook.errors import UsageError
from tests.output import data as data_of


def only_ruby(name: str) -> Path:
    if name != "ruby":
        raise UsageError(f"{name} is not installed")
    return Path("/usr/bin/ruby")


def test_each_tool_is_found_or_comes_with_the_command_that_brings_it() -> None:
    found = {one.name: one for one in diagnose(find=only_ruby)}
    assert found["ruby"].found == "/usr/bin/ruby"
    assert (found["goiardi"].found, found["goiardi"].remedy) == ("", "apt-get install goiardi")
    assert (found["knife"].found, found["knife"].remedy) == ("", "make setup")


@pytest.fixture
def nothing_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "PLUGINS", tmp_path)
    monkeypatch.setattr(diagnose, "__defaults__", ((Tool("no-such-tool", "is", "a-package"),),))


@pytest.mark.usefixtures("nothing_there")
def test_a_missing_tool_is_a_line_and_the_exit_code() -> None:
    done = CliRunner().invoke(cli, ["doctor"])
    assert done.exit_code == 2
    assert "missing: apt-get install a-package" in done.output
    assert done.output.splitlines()[-1].startswith("missing: no-such-tool, ")


@pytest.mark.usefixtures("nothing_there")
def test_as_json() -> None:
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    assert done.exit_code == 2
    tools = data_of(done.stdout)["tools"]
    assert {
        "name": "no-such-tool",
        "purpose": "is",
        "found": "",
        "remedy": "apt-get install a-package",
    } in tools
