"""The command itself: help, options, exit codes, errors as text and as JSON."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from stackcook import __version__
from stackcook.cli import main
from stackcook.cli.context import Context
from stackcook.errors import ChefServerError, ExitCode, NodeError
from tests.output import document
from tests.started import environment


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(main.cli, arguments, prog_name="stackcook")


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A command ``status`` that does what the test says: ``probe.body(context)``."""
    module: Any = ModuleType("stackcook.cli.status")

    @click.command()
    @click.pass_obj
    def command(context: Context) -> Any:
        """Do as the test says."""
        return module.body(context)

    module.command = command
    monkeypatch.setitem(sys.modules, "stackcook.cli.status", module)
    module.__spec__ = object()  # what find_spec returns for a module that is loaded already
    return module


def failing_with(error: BaseException) -> Any:
    def body(*_: Any) -> None:
        raise error

    return body


def test_help_imports_neither_commands_nor_libraries() -> None:
    """Nobody waits for paramiko to read a help text."""
    script = (
        "import sys; from stackcook.cli.main import cli; cli(['--help'], standalone_mode=False)"
    )
    script += "; print([m for m in ('paramiko', 'rich', 'requests', 'yaml') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", [*main.Commands().list_commands(click.Context(main.cli))])
def test_every_command_has_help_and_json(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0, result.stderr
    group = main.cli.get_command(click.Context(main.cli), name)
    if isinstance(group, click.Group):
        for below in group.commands:
            assert "--json" in run(name, below, "--help").stdout
    else:
        assert "--json" in result.stdout


def test_version() -> None:
    assert run("--version").stdout == f"stackcook {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["check", "--nonsense"], ["check", "extra"], ["-f"]]
)
def test_usage_errors_are_2_and_on_stderr(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == ExitCode.USAGE
    assert not result.stdout and "Error: " in result.stderr


def test_misspelt_command() -> None:
    assert "Did you mean check?" in run("chekc").stderr


def test_settings_reach_the_command(probe: Any) -> None:
    seen: list[Context] = []
    probe.body = seen.append
    assert run("-f", "a.yml", "--no-color", "status").exit_code == 0
    assert run("status", "--json").exit_code == 0
    assert run("--json", "status").exit_code == 0
    default = Path("infrastructure.yml")
    assert seen == [
        Context(Path("a.yml"), "status", json=False, color=False, options=("-f", "a.yml")),
        Context(default, "status", json=True),
        Context(default, "status", json=True),
    ]


def test_exit_code_is_what_the_command_returns(probe: Any) -> None:
    probe.body = lambda _: ExitCode.WITHIN_BUDGET
    assert run("status").exit_code == ExitCode.WITHIN_BUDGET


def test_expected_failure_is_one_line(probe: Any) -> None:
    probe.body = failing_with(
        NodeError("apt-get update\nfailed", where="compute1", remedy="stackcook logs compute1")
    )
    result = run("status")
    assert result.exit_code == ExitCode.NODES
    assert result.stdout == ""
    assert result.stderr == "compute1: apt-get update failed; stackcook logs compute1\n"


def test_expected_failure_as_json(probe: Any) -> None:
    url = "https://chef.example.com"
    probe.body = failing_with(ChefServerError("refused", where=url, remedy="start it"))
    result = run("status", "--json")
    assert result.exit_code == ExitCode.CHEF_SERVER
    assert document(result.stdout) == {
        "version": 1,
        "command": "status",
        "exit_code": 6,
        "data": None,
        "errors": [
            {
                **{"where": url, "line": None, "column": None, "severity": "error"},
                **{"what": "refused", "remedy": "start it"},
            }
        ],
    }
    assert result.stderr == ""


def test_bug_shows_its_traceback(probe: Any) -> None:
    probe.body = failing_with(KeyError("gone"))
    result = run("status")
    assert result.exit_code == ExitCode.BUG
    assert "Traceback" in result.stderr
    assert "internal error: KeyError: 'gone'" in result.stderr.splitlines()[-1]


def test_too_many_open_files_are_no_bug(probe: Any) -> None:
    probe.body = failing_with(OSError(errno.EMFILE, "Too many open files"))
    result = run("status")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == "too many open files; allow more open files: `ulimit -n 4096`\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_interrupted(probe: Any, error: BaseException) -> None:
    probe.body = failing_with(error)
    result = run("status")
    assert result.exit_code == ExitCode.INTERRUPTED
    assert result.stderr == "interrupted\n"


def test_interrupted_before_the_command_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "_manifest_of", failing_with(KeyboardInterrupt()))
    result = run("--cloud", "x", "status")
    assert (result.exit_code, result.stderr) == (ExitCode.INTERRUPTED, "interrupted\n")


@pytest.mark.parametrize("module", ["click", "stackcook.errors", "stackcook.cli.check"])
def test_interrupted_while_modules_are_imported(tmp_path: Path, module: str) -> None:
    script = f"""
import sys

class Interrupting:
    @staticmethod
    def find_spec(name, *_):
        if name == "{module}":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting)
from stackcook.__main__ import main
sys.argv[1:] = ["check"]
main()
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (ExitCode.INTERRUPTED, "interrupted\n")


def test_after_an_interrupt_no_thread_keeps_the_process_and_no_program_is_left(
    tmp_path: Path,
) -> None:
    script = """
import sys, threading
from stackcook.cli import main
from stackcook.command import Command, run

def interrupted(**_):
    begun = threading.Event()
    threading.Thread(target=threading.Event().wait).start()
    program = Command(("sh", "-c", "echo $$ >$0; echo; exec sleep 600", sys.argv[1]))
    threading.Thread(target=lambda: run(program, on_line=lambda _: begun.set())).start()
    begun.wait(30)
    raise SystemExit(130)

main.cli = interrupted
main.main()
"""
    pid = tmp_path / "pid"
    done = subprocess.run([sys.executable, "-c", script, str(pid)], timeout=60, check=False)
    assert done.returncode == ExitCode.INTERRUPTED
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize(
    "setting",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=str,
)
def test_characters_that_the_terminal_cannot_show(tmp_path: Path, setting: dict[str, str]) -> None:
    (tmp_path / "infrastructure.yml").write_text("roles: [{größe✓: }]\n")
    for arguments in (["check"], ["--color", "check"], ["plan"], ["größe✓"], ["check", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "stackcook", *arguments],
            cwd=tmp_path,
            env=environment(**setting),
            capture_output=True,
        )
        assert done.returncode in (2, 3) and b"Traceback" not in done.stderr, done.stderr
        if "--json" in arguments:
            (finding,) = document(done.stdout.decode("ascii"))["data"]["findings"]
            assert "größe✓" in finding["what"]
        elif "PYTHONIOENCODING" in setting and "größe✓" not in arguments:  # click: UTF-8 for ascii
            shown = (done.stdout + done.stderr).decode(setting["PYTHONIOENCODING"])
            assert ("größe?" if setting["PYTHONIOENCODING"] == "latin-1" else "gr??e?") in shown
