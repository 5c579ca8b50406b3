"""Running programs: output in order, secrets masked, nothing left running."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from stackcook.command import Command, CommandError, Secret, find_program, run
from stackcook.errors import ExitCode, UsageError


def shell(script: str, **rest: object) -> Command:
    return Command(("sh", "-c", script), **rest)  # type: ignore[arg-type]


def test_output_is_both_streams_in_order_and_each_line_is_handed_on() -> None:
    seen: list[str] = []
    done = run(shell("echo one; echo two >&2; echo three; exit 3"), on_line=seen.append)
    assert (done.status, done.output) == (3, "one\ntwo\nthree\n")
    assert seen == ["one", "two", "three"]


def test_streams_apart_keep_warnings_out_of_what_is_parsed() -> None:
    done = run(shell("echo '{}'; echo 'Warning: password=hunter2' >&2; exit 3", apart=True))
    assert (done.status, done.output) == (3, "{}\n")
    assert done.errors == "Warning: password=hunter2\n" and done.last == done.errors.strip()
    assert done.quoted == "{} Warning: password=****"
    assert len(run(shell("yes | head -1000", apart=True)).quoted) == 301


def test_much_on_stderr_does_not_block() -> None:
    done = run(shell("head -c 1000000 /dev/zero >&2; echo end", apart=True))
    assert done.output == "end\n" and len(done.errors) == 1_000_000


def test_environment_is_added_to_and_the_directory_is_the_given_one(tmp_path: Path) -> None:
    done = run(shell('echo "$WORD $HOME"; pwd', env={"WORD": "hello"}, cwd=tmp_path))
    assert done.output == f"hello {os.environ['HOME']}\n{tmp_path}\n"


def test_a_secret_reaches_the_program_but_not_what_is_shown() -> None:
    seen: list[str] = []
    command = shell(
        'echo "env $PASSWORD ${#PASSWORD}"; cat',
        env={"PASSWORD": Secret("hunter2")},
        stdin=Secret("first line\nsecond line\n"),
    )
    done = run(command, on_line=seen.append)
    assert done.output == "env **** 7\n****\n****\n"
    assert seen == ["env **** 7", "****", "****"]
    assert "hunter2" not in f"{command} {command!r} {Secret('hunter2')!r}"


def test_plain_stdin_is_shown_as_it_is() -> None:
    assert run(shell("cat", stdin="text\n")).output == "text\n"


def test_stdin_that_nobody_reads_is_no_failure() -> None:
    assert run(shell("exit 0", stdin="x" * 1_000_000)).status == 0


def test_a_timeout_ends_the_program_and_what_it_started() -> None:
    seen: list[str] = []
    with pytest.raises(CommandError, match=r"did not finish within 0\.5 s") as caught:
        run(shell("sleep 60 & echo $!; wait; : -P s3cret"), on_line=seen.append, timeout=0.5)
    assert ends(int(seen[0]))
    assert "s3cret" not in str(caught.value)


def test_an_interruption_in_a_listener_ends_the_program() -> None:
    seen: list[str] = []

    def interrupt(line: str) -> None:
        seen.append(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(shell("echo $$; sleep 60"), on_line=interrupt)
    assert ends(int(seen[0]))


def test_a_program_that_runs_as_root_is_ended_by_root(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError("not the owner's")

    asked: list[tuple[str, ...]] = []

    def as_root(*argv: str) -> tuple[str, ...]:
        asked.append(argv)
        return argv

    def interrupt(line: str) -> None:
        seen.append(line)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "killpg", refuse)
    monkeypatch.setattr("stackcook.command.as_root", as_root)
    seen: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run(shell("sleep 60 & echo $!; wait"), on_line=interrupt)
    assert asked and ends(int(seen[0]))


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="/no/such/program: cannot be started") as caught:
        run(Command(("/no/such/program",)))
    assert caught.value.exit_code is ExitCode.USAGE
    with pytest.raises(
        UsageError, match="no-such-program is not installed; run `stackcook doctor`"
    ):
        find_program("no-such-program")


def test_the_program_beside_python_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for directory in ("venv", "usr"):
        program = tmp_path / directory / "knife"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python3"))
    monkeypatch.setenv("PATH", str(tmp_path / "usr"))
    assert find_program("knife") == tmp_path / "venv" / "knife"


def ends(pid: int) -> bool:
    """Whether the process is gone, or dead and not yet missed by its parent, within 10 s."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False
