"""The interface of an SSH connection: a host, a connection, and what opens one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from stackcook.command import Completed, Say, Secret
from stackcook.errors import NodeError, Transient


DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
"""The private keys of ``~/.ssh`` that are tried if none is named."""


class HostKeys(Enum):
    """What to do with the key of a host that is in no known_hosts file.

    As OpenSSH's ``StrictHostKeyChecking``. ``NO`` also accepts a key that has changed.
    """

    YES = "yes"
    ASK = "ask"
    NEW = "accept-new"
    NO = "no"


@dataclass(frozen=True)
class Host:
    """How SSH reaches a node; ``name`` is the node's name on the Chef server.

    ``keys`` are files with private keys, or with public keys whose private half the agent has;
    ``agent`` is the socket of that agent, whose other keys are tried as well unless ``only_keys``.
    ``certificates`` belong to any of these keys, beside ``KEY-cert.pub``. ``password`` is tried
    last, and ``become`` is the user's password for sudo.

    It is reached through ``gateway``, or over stdin and stdout of the shell command ``proxy``.
    ``known_hosts`` are the user's own files of host keys, ``host_key`` its fingerprint, as
    ``SHA256:…``; ``key_alias`` is the name in known_hosts files instead of the address.
    """

    name: str
    address: str
    user: str
    keys: tuple[Path, ...]
    port: int = 22
    password: Secret | None = None
    gateway: Host | None = None
    agent: str = ""
    only_keys: bool = False
    certificates: tuple[Path, ...] = ()
    become: Secret | None = None
    proxy: str = ""
    host_keys: HostKeys = HostKeys.NEW
    known_hosts: tuple[Path, ...] = ()
    host_key: str = ""
    key_alias: str = ""

    @property
    def alias(self) -> str:
        """The name under which OpenSSH's known_hosts file lists this host."""
        if self.key_alias:
            return self.key_alias
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"

    @property
    def way(self) -> tuple[Host, ...]:
        """The hosts to log in to one after the other: the gateways, then this one."""
        return (*(self.gateway.way if self.gateway else ()), self)


def _running_agent() -> str:
    return os.environ.get("SSH_AUTH_SOCK", "")


@dataclass(frozen=True)
class Access:
    """What the user gives for all hosts, instead of writing it into the manifest.

    ``password`` is for logins, ``become`` for sudo; with ``accept_new``, the keys of unknown hosts
    are recorded without a question. ``agent`` is the socket of the user's agent.
    """

    password: Secret | None = None
    become: Secret | None = None
    accept_new: bool = False
    agent: str = field(default_factory=_running_agent)

    @classmethod
    def of_environment(cls, accept_new: bool = False) -> Access:
        """With the passwords in STACKCOOK_SSH_PASSWORD and STACKCOOK_BECOME_PASSWORD, if any."""

        def secret(name: str) -> Secret | None:
            text = os.environ.get(name)
            return Secret(text) if text else None

        password, become = map(secret, ("STACKCOOK_SSH_PASSWORD", "STACKCOOK_BECOME_PASSWORD"))
        return cls(password, become, accept_new)


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
        content: Iterable[bytes] = (),
    ) -> Completed:
        """Run a shell command; its stdout and stderr come in order, in ``output``.

        Its stdin is ``stdin``, followed by ``content``. With ``apart``, for output that
        is parsed, stderr is in ``errors``.
        ``timeout`` is in seconds for the whole command. Raises Transient if the connection breaks,
        TimedOut at the timeout. What a status other than 0 means is up to the caller. Pass secrets
        by ``stdin``, never in ``command``.
        """
        ...

    def become(self) -> Secret | None:
        """The password for sudo on this node, which sudo has accepted; None if none is given.

        Raises NodeError if sudo does not accept it.
        """
        return None

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


_AFTER_PASSWORD = "stackcook: end of the password"
"""The line that follows sudo's password on stdin."""


def sudo(command: str, *, asks: bool = False) -> str:
    """The shell command that runs ``command`` as root.

    If sudo ``asks`` for a password, stdin begins with :func:`password_first`. Whether sudo then
    reads the password or not (it needs none, or remembers one), ``command`` does not get it.
    """
    options = "-n"
    if asks:
        options = "-S -p ''"
        skip = f'while IFS= read -r line && [ "$line" != "{_AFTER_PASSWORD}" ]; do :; done'
        command = f"{skip}\n{command}"
    quoted = shlex.quote(command)
    # bash sets UID, which saves a process
    root = f"sudo {options} -- sh -c {quoted}"
    return f"if [ ${{UID:-$(id -u)}} = 0 ]; then sh -c {quoted}; else {root}; fi"


def password_first(password: Secret, stdin: str) -> str:
    """``stdin`` for a command of :func:`sudo` that asks."""
    return f"{password.reveal()}\n{_AFTER_PASSWORD}\n{stdin}"


def as_root(
    remote: Remote,
    command: str,
    *,
    stdin: str = "",
    on_line: Say | None = None,
    timeout: float | None = None,
    apart: bool = False,
    content: Iterable[bytes] = (),
) -> Completed:
    """:meth:`Remote.run` as root, by sudo with the user's password if there is one.

    Raises NodeError if sudo does not accept the password.
    """
    password = remote.become()
    if password:
        command, stdin = sudo(command, asks=True), password_first(password, stdin)
    else:
        command = sudo(command)
    return remote.run(
        command, stdin=stdin, on_line=on_line, timeout=timeout, apart=apart, content=content
    )
