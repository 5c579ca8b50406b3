"""Nodes over SSH with paramiko, whose exceptions end here: as NodeError, with cause and remedy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import paramiko

from stackcook.command import Completed
from stackcook.errors import Transient
from stackcook.remote.base import Connect, Host, LineListener, Remote, TimedOut, Unreachable
from stackcook.remote.login import hang_up, login, translated

SILENCE = 30.0
"""Seconds without a word from a command, after which the node is asked whether it is still there.
"""

ANSWER = 60.0
"""Seconds that it has to answer; it may be busy."""


def connect(host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Remote:
    """Log in to ``host``; each phase (TCP, banner, login) may take ``timeout`` seconds.

    Raises Unreachable if no SSH server answers, NodeError if it answers but the host key changed
    or the login is refused; so for the gateway, if there is one.
    """
    if host.gateway is None:
        return _Connection(host, login(host, known_hosts, timeout))
    gateway = login(host.gateway, known_hosts, timeout)
    try:
        with translated(host, known_hosts):
            transport = gateway.get_transport()
            address = (host.address, host.port)
            way = transport.open_channel("direct-tcpip", address, ("", 0), timeout=timeout)
        return _Connection(host, login(host, known_hosts, timeout, way), gateway)
    except BaseException:
        hang_up(gateway)
        raise


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
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            with self._transport.open_session(timeout=60) as channel:
                channel.set_combine_stderr(True)
                with _answering(self._client):
                    channel.exec_command(command)
                    channel.sendall(stdin.encode())
                    channel.shutdown_write()
                while chunk := _receive(self._transport, channel, deadline):
                    lines.feed(chunk)
                if not channel.status_event.wait(ANSWER):
                    raise EOFError(f"no answer within {ANSWER:g} s")
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
        return Completed(status, lines.end())

    def answers(self, timeout: float) -> bool:
        try:
            _ask(self._transport, timeout)
        except (paramiko.SSHException, EOFError, OSError):
            return False
        return True

    def close(self) -> None:
        for client in (self._client, *self._gateways):
            hang_up(client)

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _transport(self) -> Any:
        transport = self._client.get_transport()
        if transport is None:
            raise EOFError("the connection is closed")
        return transport

    def _lost(self, error: Exception) -> Transient:
        return Transient(
            f"the SSH connection broke ({error or type(error).__name__})",
            where=self._host.name,
            remedy="look whether the node is up, then run again",
        )


@contextmanager
def _answering(client: Any) -> Iterator[None]:
    """Where paramiko would wait for good: the connection ends unless the block does in time.

    Raises EOFError then.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        hang_up(client)

    over = threading.Timer(ANSWER, end)
    over.daemon = True
    over.start()
    try:
        yield
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _silent() if late.is_set() else error
    finally:
        over.cancel()


def _receive(transport: Any, channel: Any, deadline: float | None) -> bytes:
    """What the command says next, empty at its end; raises TimeoutError at the deadline.

    Raises EOFError once the node has stopped answering: sshd answers however busy a command is,
    while a node that is frozen, off or without network would keep us waiting for good.
    """
    while True:
        left = SILENCE if deadline is None else min(SILENCE, deadline - time.monotonic())
        channel.settimeout(max(0.0, left))
        try:
            data: bytes = channel.recv(65536)
            return data
        except TimeoutError:
            if left < SILENCE:
                raise
        try:
            _ask(transport, ANSWER)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise _silent() from error


def _ask(transport: Any, timeout: float) -> None:
    """See that sshd answers; no process has to be started for it. Raises what paramiko does."""
    try:
        transport.open_session(timeout=timeout).close()
    except paramiko.ChannelException:
        pass  # no more sessions for us: that is an answer


def _silent() -> EOFError:
    return EOFError(f"no answer within {ANSWER:g} s")


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


def _shown(command: str) -> str:
    return command if len(command) <= 80 else f"{command[:77]}..."
