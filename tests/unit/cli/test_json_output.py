"""``--json``: every command prints one document of the published schema, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from stackcook.cli import main
from stackcook.errors import ExitCode
from stackcook.machines.box import ORDINARY, Box
from stackcook.report.schema import schema
from tests.fakes import FakeSite, recipe_error
from tests.output import data, document
from tests.started import environment


def names() -> Iterator[str]:
    """Every command, such as ``server start``."""
    ctx = click.Context(main.cli)
    for name in main.cli.list_commands(ctx):
        command = main.cli.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {below}" for below in command.commands)
        else:
            yield name


every_command = pytest.mark.parametrize("name", list(names()))


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(main.cli, arguments, prog_name="stackcook")


@every_command
@pytest.mark.parametrize("before", [True, False])
def test_wrong_usage(name: str, before: bool) -> None:
    words = [*name.split(), "--nonsense"]
    result = run("--json", *words) if before else run(*words, "--json")
    found = document(result.stdout)
    assert (result.exit_code, result.stderr) == (ExitCode.USAGE, "")
    assert (found["command"], found["exit_code"], found["data"]) == (name, 2, None)
    (error,) = found["errors"]
    assert error["what"].startswith("No such option: --nonsense")
    assert error["remedy"] == f"run `stackcook {name} --help`"


@pytest.mark.parametrize(
    "arguments, what",
    [
        (["chekc", "--json"], "No such command 'chekc'. Did you mean check?"),
        (["--nonsense", "status", "--json"], "No such option: --nonsense"),
        (["check", "--format", "json", "extra"], "Got unexpected extra argument (extra)"),
        (["check", "--nonsense", "--format=json"], "No such option: --nonsense"),
    ],
)
def test_usage_errors_before_a_command_is_known(arguments: list[str], what: str) -> None:
    result = run(*arguments)
    assert result.exit_code == ExitCode.USAGE
    assert document(result.stdout)["errors"][0]["what"] == what


def test_the_schema_has_the_data_of_each_command() -> None:
    listed = {each["if"]["properties"]["command"]["const"] for each in schema()["allOf"]}
    # What a program on a node prints is not ours; the Vagrantfile's command prints nothing.
    assert listed == {*names()} - {"ssh", "box provide"}


def test_the_json_of_a_program_on_a_node_is_not_ours() -> None:
    result = run("ssh", "--nonsense", "node", "df", "--json")
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")


@every_command
def test_without_a_manifest(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = {f"snapshot {name}" for name in ("list", "remove", "export", "import")}
    if name in {
        "init",
        "schema",
        "completion",
        "doctor",
        "setup",
        "sbom",
        "down",
        "ps",
        "box build",
        "help",
        *without,
    }:
        pytest.skip("it reads no manifest")
    monkeypatch.chdir(tmp_path)
    node = ["node"] if name in ("logs", "ssh", "bundle", "node remove") else []
    node = ["horizon"] if name == "open" else node
    result = run(*name.split(), *node, "--json") if name != "ssh" else run("--json", name, *node)
    found = document(result.stdout)
    assert (result.exit_code, found["exit_code"]) == (ExitCode.INPUT, ExitCode.INPUT)
    problems = found["data"]["findings"] if name == "check" else found["errors"]
    assert [problem["where"] for problem in problems] == [str(tmp_path / "infrastructure.yml")]


def test_the_data_of_each_command(
    root: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))  # a build may hold the real lock
    monkeypatch.setattr(Box, "build", lambda *_, **__: None)

    def of(*words: str, code: ExitCode = ExitCode.DONE) -> Any:
        result = run(*words, "--json")
        assert result.exit_code == code, result.stderr
        return data(result.stdout)

    site.chef.broken["compute1"] = recipe_error("compute1")
    failed = of("deploy", code=ExitCode.NODES)
    assert [error["node"] for error in failed["errors"]] == ["compute1"]
    site.chef.broken.clear()
    assert (deployed := of("deploy"))["nodes"]["compute1"]["result"] == "done"
    assert of("converge")["facts"]["Horizon"] == "http://10.0.115.10/"
    assert (status := of("status"))["nodes"][0]["when"].endswith("Z")
    assert (report := of("report"))["run"]["started"].endswith("Z")
    assert [each["cloud"] for each in (deployed, status, report)] == ["stackcook"] * 3
    assert len(of("report", "--list")["runs"]) == 3
    assert of("logs", "compute1", "--failed")["lines"][0].startswith("converge failed: compute1")
    assert of("machines")["machines"][1]["address"] == "127.0.0.3"
    assert of("server", "status")["running"] is False
    assert of("server", "stop") == {"stopped": False}
    ordinary = {"name": ORDINARY.name, "path": str(ORDINARY.path), "warm": []}
    assert of("box", "build") == ordinary
    assert of("destroy", "--yes")["steps"][-1]["step"] == "state"


def test_ctrl_c(tmp_path: Path) -> None:
    """While it waits at a FIFO for its manifest."""
    os.mkfifo(tmp_path / "infrastructure.yml")
    process = subprocess.Popen(
        [sys.executable, "-m", "stackcook", "check", "--json"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with (tmp_path / "infrastructure.yml").open("w"):  # opens once it reads
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    found = document(out)
    assert (process.returncode, found["exit_code"], err) == (130, 130, "")
    assert [error["what"] for error in found["errors"]] == ["interrupted"]
