"""The interface of an SSH connection: a host, a connection, and what opens one."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stackcook.command import Completed, Say, Secret
from stackcook.errors import NodeError, Transient


@dataclass(frozen=True)
class Host:
    """How SSH reaches a node; ``name`` is the node's name on the Chef server.

    ``password`` is tried where the key is refused. ``gateway`` is the host to go through.
    """

    name: str
    address: str
    user: str
    key: Path
    port: int = 22
    password: Secret | None = None
    gateway: Host | None = None

    @property
    def alias(self) -> str:
        """The name under which OpenSSH's known_hosts file lists this host."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"


class Unreachable(Transient):
    """No SSH server answered; it may after a retry, if the machine is booting."""


class TimedOut(NodeError):
    """A command on a node did not finish in time; it may still run there."""


class Remote(Protocol):
    """An open connection to one node; a context manager that closes it."""

    def run(
        self,
        command: str,
        *,
        stdin: str = "",
        on_line: Say | None = None,
        timeout: float | None = None,
        apart: bool = False,
    ) -> Completed:
        """Run a shell command; its stdout and stderr come in order, in ``output``.

        With ``apart``, for output that is parsed, stderr is in ``errors``.
        ``timeout`` is in seconds for the whole command. Raises Transient if the connection breaks,
        TimedOut at the timeout. What a status other than 0 means is up to the caller. Pass secrets
        by ``stdin``, never in ``command``.
        """
        ...

    def answers(self, timeout: float) -> bool:
        """Whether the node still answers over it, within ``timeout`` seconds."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Connect(Protocol):
    """Opens a connection: :func:`stackcook.remote.ssh.connect`, or a fake."""

    def __call__(self, host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Remote:
        ...


def sudo(command: str) -> str:
    """The shell command that runs ``command`` as root; it never asks for a password."""
    quoted = shlex.quote(command)
    # bash sets UID, which saves a process
    return f"if [ ${{UID:-$(id -u)}} = 0 ]; then sh -c {quoted}; else sudo -n -- sh -c {quoted}; fi"
