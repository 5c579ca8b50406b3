"""Commands as root: sudo with and without a password, by a real shell and a fake sudo."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stackcook.command import Completed, Secret
from stackcook.errors import NodeError
from stackcook.remote.base import Host, Remote, as_root, password_first, sudo
from stackcook.remote.ssh import _Connection

PASSWORD = Secret("s3same $x 'y'")
SUDO = r"""#!/bin/sh
# Asks for a password on stdin as sudo -S does, if the file `asks` is there: up to three times.
here=$(dirname "$0")
echo "$*" >>"$here/argv"
options=
while [ "$1" != -- ]; do options="$options $1"; shift; done
shift
if [ -e "$here/asks" ]; then
  case "$options" in *-n*) echo 'sudo: a password is required' >&2; exit 1;; esac
  for try in 1 2 3; do
    IFS= read -r given || { echo 'sudo: no password was provided' >&2; exit 1; }
    echo "$given" >>"$here/given"
    [ "$given" = "$(cat "$here/asks")" ] && exec "$@"
    echo 'Sorry, try again.' >&2
  done
  exit 1
fi
exec "$@"
"""


@dataclass
class Shell(Remote):
    """Runs commands here, as a user that is not root and has the fake sudo."""

    directory: Path
    password: Secret | None = None
    commands: list[str] = field(default_factory=list)

    def run(self, command: str, *, stdin: str = "", apart: bool = False, **_: Any) -> Completed:
        self.commands.append(command)
        environment = {**os.environ, "PATH": f"{self.directory}:{os.environ['PATH']}"}
        done = subprocess.run(
            # UID is read-only in bash, where it is set; this shell only thinks that it is a user
            ["sh", "-c", f"UID=1000\n{command}"],
            input=stdin,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return Completed(done.returncode, done.stdout, done.stderr)

    def become(self) -> Secret | None:
        return self.password

    def answers(self, timeout: float) -> bool:
        return True

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    program = tmp_path / "sudo"
    program.write_text(SUDO)
    program.chmod(0o755)
    return Shell(tmp_path)


@pytest.mark.parametrize("asks", [True, False], ids=["asks", "asks not"])
def test_a_script_gets_its_own_input_whether_sudo_asks_or_not(shell: Shell, asks: bool) -> None:
    shell.password = PASSWORD
    if asks:
        (shell.directory / "asks").write_text(PASSWORD.reveal())
    done = as_root(shell, "cat; exit 3", stdin="one\ntwo\n")
    assert (done.status, done.output, done.errors) == (3, "one\ntwo\n", "")
    done = as_root(shell, "exec sh -s", stdin="{\necho here\ncat\n} </dev/null\n")
    assert done.output == "here\n"
    assert as_root(shell, "cat").output == ""


def test_the_password_is_in_no_command(shell: Shell) -> None:
    shell.password = PASSWORD
    (shell.directory / "asks").write_text(PASSWORD.reveal())
    as_root(shell, "env; cat /proc/self/cmdline")
    argv = (shell.directory / "argv").read_text()
    done = as_root(shell, "env; tr '\\0' ' ' </proc/$$/cmdline")
    for text in (*shell.commands, argv, done.output):
        assert "s3same" not in text


def test_without_a_password_sudo_must_not_ask(shell: Shell) -> None:
    assert as_root(shell, "echo here").output == "here\n"
    (shell.directory / "asks").touch()
    done = as_root(shell, "echo here")
    assert (done.status, done.output) == (1, "") and "a password is required" in done.errors


def test_root_skips_the_password_as_well() -> None:
    command = f"UID=0\n{sudo('cat', asks=True)}"
    stdin = password_first(PASSWORD, "mine\n")
    done = subprocess.run(["sh", "-c", command], input=stdin, text=True, capture_output=True)
    assert done.stdout == "mine\n"


class Connection(_Connection):
    """A connection whose commands run here."""

    def __init__(self, shell: Shell) -> None:
        host = Host("one", "192.0.2.7", "me", (), become=shell.password)
        super().__init__(host, None, None)
        self.shell = shell

    def run(self, command: str, **options: Any) -> Completed:
        return self.shell.run(command, **options)


def test_a_wrong_password_is_tried_once(shell: Shell) -> None:
    shell.password = Secret("wrong")
    (shell.directory / "asks").write_text(PASSWORD.reveal())
    with pytest.raises(NodeError, match="one: sudo does not accept the password of me") as raised:
        as_root(Connection(shell), "echo never", stdin="script\n")
    assert "--ask-become-pass" in str(raised.value) and "wrong" not in str(raised.value)
    assert (shell.directory / "given").read_text() == "wrong\n"


def test_a_password_is_checked_once_for_each_connection(shell: Shell) -> None:
    shell.password = PASSWORD
    (shell.directory / "asks").write_text(PASSWORD.reveal())
    connection = Connection(shell)
    for _ in range(2):
        assert as_root(connection, "cat", stdin="here\n").output == "here\n"
    assert len(shell.commands) == 3
