"""Nodes over SSH with paramiko, whose exceptions end here: as NodeError, with cause and remedy."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import paramiko

from stackcook.command import Completed
from stackcook.errors import NodeError, Transient
from stackcook.remote.base import Connect, Host, LineListener, Remote, TimedOut, Unreachable
from stackcook.remote.hostkeys import Record, locked


def connect(host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Remote:
    """Log in to ``host``; each phase (TCP, banner, login) may take ``timeout`` seconds.

    Raises Unreachable if no SSH server answers, NodeError if it answers but the host key changed
    or the login is refused; so for the gateway, if there is one.
    """
    if host.gateway is None:
        return _Connection(host, _login(host, known_hosts, timeout))
    gateway = _login(host.gateway, known_hosts, timeout)
    try:
        with _translated(host, known_hosts):
            transport = gateway.get_transport()
            address = (host.address, host.port)
            way = transport.open_channel("direct-tcpip", address, ("", 0), timeout=timeout)
        return _Connection(host, _login(host, known_hosts, timeout, way), gateway)
    except BaseException:
        gateway.close()
        raise


def _login(host: Host, known_hosts: Path, timeout: float, way: Any = None) -> Any:
    """A paramiko client; ``way`` is the channel to go by, in place of a connection of its own."""
    key = _load(host)
    client = paramiko.SSHClient()
    with locked(known_hosts):
        client.load_host_keys(str(known_hosts))
    client.set_missing_host_key_policy(Record(known_hosts))
    with _translated(host, known_hosts):
        try:
            client.connect(
                host.address,
                port=host.port,
                username=host.user,
                pkey=key,
                password=host.password.reveal() if host.password else None,
                sock=way,
                allow_agent=False,
                look_for_keys=False,
                timeout=timeout,
                banner_timeout=timeout,
                auth_timeout=timeout,
            )
        except BaseException:
            client.close()
            raise
    return client


def wait_for(
    host: Host,
    known_hosts: Path,
    *,
    patience: float,
    timeout: float = 20.0,
    opener: Connect = connect,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Remote:
    """Connect as soon as ``host`` answers; raises what the last try raised after ``patience`` s.

    Each phase of a try may take ``timeout`` seconds.
    """
    deadline = clock() + patience
    while True:
        try:
            left = max(1.0, min(timeout, deadline - clock()))
            return opener(host, known_hosts, timeout=left)
        except Unreachable:
            if clock() >= deadline:
                raise
        sleep(1.0)


class _Connection:
    def __init__(self, host: Host, *clients: Any) -> None:
        """``clients`` are the one logged in to ``host``, and then those it goes through."""
        self._host = host
        self._client, self._gateways = clients[0], clients[1:]

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
        for client in (self._client, *self._gateways):
            client.close()

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
                status: int = channel.recv_exit_status()
        except TimeoutError as error:
            raise TimedOut(
                f"a command did not end within {timeout:.0f} s: {_shown(command)}",
                where=self._host.name,
                remedy="look at what it waits for on the node",
            ) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._lost(error) from error
        if status == -1:  # paramiko's word for a channel that closed without a status
            raise self._lost(EOFError("no exit status"))
        return status

    def _lost(self, error: Exception) -> Transient:
        return Transient(
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


def _load(host: Host) -> Any:
    """The private key, whatever kind it is; paramiko's own guessing hides why a login failed.

    None where there is none, but a password.
    """
    if host.password and not host.key.exists():
        return None
    why: Exception | None = None
    kinds: tuple[Any, ...] = (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey)
    for kind in kinds:
        try:
            return kind.from_private_key_file(str(host.key))
        except (OSError, paramiko.SSHException) as error:
            # Not this kind, or no key at all: the first word is the best, save a passphrase's.
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
            f"SSH login as {at} with {_means(host)} was refused",
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
    tried = getattr(error, "errors", None)  # paramiko's: what happened at each of its addresses
    if isinstance(tried, dict):
        return "; ".join(sorted({_reason(cause) for cause in tried.values()}))
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError):
        return str(error.strerror or error)
    text = str(error)
    if "banner" in text or text == "No existing session":  # which of two clocks ran out first
        return "something listens there, but does not speak SSH in time"
    return text or type(error).__name__


def _means(host: Host) -> str:
    return f"{host.key} and the password" if host.password else str(host.key)


def _shown(command: str) -> str:
    return command if len(command) <= 80 else f"{command[:77]}..."
