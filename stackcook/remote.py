"""A node over SSH: run a command, put and get a file.

A host's key is recorded on first contact and verified ever after. paramiko ends in this file: what
it raises comes out as a :class:`NodeError` that says the cause and what to do.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

import paramiko

from stackcook.command import Completed
from stackcook.errors import NodeError

LineListener = Callable[[str], None]


@dataclass(frozen=True)
class Host:
    """How SSH reaches a node; ``name`` is the node's name on the Chef server."""

    name: str
    address: str
    user: str
    key: Path
    port: int = 22

    @property
    def alias(self) -> str:
        """The name under which OpenSSH's known_hosts file lists this host."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"


class Unreachable(NodeError):
    """Nothing answered as an SSH server does; worth another try while a machine boots."""


class Remote(Protocol):
    """An open connection to one node; a context manager that closes it."""

    def run(
        self,
        command: str,
        *,
        stdin: str = "",
        on_line: LineListener | None = None,
        timeout: float | None = None,
    ) -> Completed:
        """Run a shell command; its stdout and stderr come in order, in ``output``.

        ``timeout`` is in seconds for the whole command. Raises NodeError if the connection breaks
        or the time is over; a status other than 0 is the caller's to judge. Secrets go by
        ``stdin``, never in ``command``.
        """
        ...

    def put(self, data: bytes, path: str, mode: int) -> None:
        """Write a file of the login user's, whole or not at all, never with a wider mode."""
        ...

    def get(self, path: str) -> bytes:
        """The bytes of a file; raises NodeError if it can't be read."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...

    def __enter__(self) -> Remote:
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ...


class Connect(Protocol):
    """What opens a connection: :func:`connect`, or a fake."""

    def __call__(self, host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Remote:
        ...


def sudo(command: str) -> str:
    """The shell command that runs ``command`` as root, without ever asking for a password."""
    quoted = shlex.quote(command)
    return f'if [ "$(id -u)" = 0 ]; then sh -c {quoted}; else sudo -n -- sh -c {quoted}; fi'


def connect(host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Remote:
    """Log in to ``host``; each phase (TCP, banner, login) may take ``timeout`` seconds.

    Raises Unreachable if no SSH server answers, NodeError if it answers but the host key changed
    or the login is refused.
    """
    key = _load(host)
    client = paramiko.SSHClient()
    with _locked(known_hosts):
        client.load_host_keys(str(known_hosts))
    client.set_missing_host_key_policy(_Record(known_hosts))
    with _translated(host, known_hosts):
        try:
            client.connect(
                host.address,
                port=host.port,
                username=host.user,
                pkey=key,
                allow_agent=False,
                look_for_keys=False,
                timeout=timeout,
                banner_timeout=timeout,
                auth_timeout=timeout,
            )
        except BaseException:
            client.close()
            raise
    return _Connection(host, client)


def wait_for(
    host: Host,
    known_hosts: Path,
    *,
    patience: float,
    opener: Connect = connect,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Remote:
    """Connect as soon as ``host`` answers; raises what the last try raised after ``patience`` s."""
    deadline = clock() + patience
    while True:
        try:
            return opener(host, known_hosts, timeout=max(1.0, min(20.0, deadline - clock())))
        except Unreachable:
            if clock() >= deadline:
                raise
        sleep(1.0)


class _Connection:
    def __init__(self, host: Host, client: paramiko.SSHClient) -> None:
        self._host = host
        self._client = client

    def run(
        self,
        command: str,
        *,
        stdin: str = "",
        on_line: LineListener | None = None,
        timeout: float | None = None,
    ) -> Completed:
        lines = _Lines(on_line)
        status = self._exec(command, stdin.encode(), lines.feed, timeout, combine=True)
        return Completed(status, lines.end())

    def put(self, data: bytes, path: str, mode: int) -> None:
        target, part = shlex.quote(path), shlex.quote(f"{path}.part")
        command = f"umask 077 && cat >{part} && chmod {mode:o} {part} && mv {part} {target}"
        if self._exec(command, data, lambda chunk: None, 60, combine=True):
            raise NodeError(f"{path} can't be written", where=self._host.name)

    def get(self, path: str) -> bytes:
        data = bytearray()
        if self._exec(f"cat -- {shlex.quote(path)}", b"", data.extend, 60, combine=False):
            raise NodeError(f"{path} can't be read", where=self._host.name)
        return bytes(data)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _exec(
        self,
        command: str,
        data: bytes,
        feed: Callable[[bytes], None],
        timeout: float | None,
        *,
        combine: bool,
    ) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            transport = self._client.get_transport()
            if transport is None:
                raise EOFError("the connection is closed")
            with transport.open_session(timeout=60) as channel:
                channel.set_combine_stderr(combine)
                channel.exec_command(command)
                channel.sendall(data)
                channel.shutdown_write()
                while True:
                    left = None if deadline is None else max(0.0, deadline - time.monotonic())
                    channel.settimeout(left)
                    if not (chunk := channel.recv(65536)):
                        break
                    feed(chunk)
                status = channel.recv_exit_status()
        except TimeoutError as error:
            raise NodeError(
                f"a command did not end within {timeout:.0f} s: {_shown(command)}",
                where=self._host.name,
                remedy="look at what it waits for on the node",
            ) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._lost(error) from error
        if status == -1:  # paramiko's word for a channel that closed without a status
            raise self._lost(EOFError("no exit status"))
        return status

    def _lost(self, error: Exception) -> NodeError:
        return NodeError(
            f"the SSH connection broke ({error or type(error).__name__})",
            where=self._host.name,
            remedy="look whether the node is up, then run again",
        )


class _Lines:
    """Bytes in, whole lines out."""

    def __init__(self, on_line: LineListener | None) -> None:
        self._on_line = on_line
        self._all: list[str] = []
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            self._say(line)

    def end(self) -> str:
        if self._rest:
            self._say(self._rest)
        return "".join(f"{line}\n" for line in self._all)

    def _say(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        self._all.append(text)
        if self._on_line:
            self._on_line(text)


class _Record(paramiko.MissingHostKeyPolicy):
    """First contact: append the key to our known_hosts file."""

    def __init__(self, known_hosts: Path) -> None:
        self._known_hosts = known_hosts

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        with _locked(self._known_hosts):
            now = paramiko.HostKeys(str(self._known_hosts))
            # Another thread or process may have met the host since the file was read.
            if (known := now.lookup(hostname)) is None:
                with self._known_hosts.open("a") as file:
                    file.write(f"{hostname} {key.get_name()} {key.get_base64()}\n")
            elif (recorded := known.get(key.get_name())) != key:
                raise paramiko.BadHostKeyException(hostname, key, recorded or key)


@contextmanager
def _locked(known_hosts: Path) -> Iterator[None]:
    """Hold the file, made with mode 0600 if it is not there, against other threads' writing."""
    known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(known_hosts, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _load(host: Host) -> paramiko.PKey:
    """The private key, whatever kind it is; paramiko's own guessing hides why a login failed."""
    why: Exception | None = None
    for kind in (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey):
        try:
            return kind.from_private_key_file(str(host.key))
        except (OSError, paramiko.SSHException) as error:
            # Not this kind, or not readable at all: an OSError's or a passphrase's word is the best.
            if why is None or isinstance(error, paramiko.PasswordRequiredException):
                why = error
    raise NodeError(
        f"the SSH key {host.key} can't be used ({_reason(why or ValueError())})",
        where=host.name,
        remedy="give `key` in the manifest an unencrypted OpenSSH or PEM private key",
    ) from why


@contextmanager
def _translated(host: Host, known_hosts: Path) -> Iterator[None]:
    """paramiko's exceptions as ours."""
    at = f"{host.user}@{host.address}:{host.port}"
    try:
        yield
    except paramiko.BadHostKeyException as error:
        forget = f"ssh-keygen -f {shlex.quote(str(known_hosts))} -R {shlex.quote(host.alias)}"
        raise NodeError(
            f"the SSH host key of {host.alias} is not the one recorded on first contact",
            where=host.name,
            remedy=f"if the machine was made anew, forget the old key with: {forget}",
        ) from error
    except paramiko.AuthenticationException as error:
        raise NodeError(
            f"SSH login as {at} with {host.key} was refused",
            where=host.name,
            remedy="correct `user` and `key` in the manifest, or put the public key on the node",
        ) from error
    except (TimeoutError, OSError, paramiko.SSHException, EOFError) as error:
        raise Unreachable(
            f"no SSH answer from {at} ({_reason(error)})",
            where=host.name,
            remedy="look whether the machine is on, its address right and sshd running",
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        return "; ".join(sorted({cause.strerror or str(cause) for cause in error.errors.values()}))
    if isinstance(error, socket.timeout):
        return "timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _shown(command: str) -> str:
    return command if len(command) <= 80 else f"{command[:77]}..."
