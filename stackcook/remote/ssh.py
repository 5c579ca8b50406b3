"""Commands on nodes over SSH, with paramiko; its exceptions become NodeErrors here."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import paramiko

from stackcook import retry
from stackcook.command import Completed, Say, Secret
from stackcook.errors import NodeError, Transient
from stackcook.log import shown
from stackcook.remote.base import Connect, Host, Remote, TimedOut, Unreachable
from stackcook.remote.login import dial, handshake, hang_up, login

_log = logging.getLogger(__name__)

SILENCE = 30.0
"""Seconds without output from a command after which the node is asked if it still answers."""

ANSWER = 60.0
"""Seconds that a node has to answer, or to take one piece of what is sent; it may be busy."""


def connect(host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Remote:
    """Log in to ``host``; each phase (TCP, banner, login) may take ``timeout`` seconds.

    Raises Unreachable if no SSH server answers, NodeError if it answers but the host key changed
    or the login is refused; the same for the gateway, if there is one.
    """
    return _connect(host, known_hosts, timeout)


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
    """Connect, and try again each second for ``patience`` seconds while ``host`` is unreachable.

    Each phase of a try may take ``timeout`` seconds. Raises what the last try raised.
    """
    deadline = clock() + patience
    return retry.call(
        lambda: opener(host, known_hosts, timeout=max(1.0, min(timeout, deadline - clock()))),
        retry.Backoff((1.0,) * ceil(patience), jitter=(1.0, 1.0)),
        again=lambda error: isinstance(error, Unreachable) and clock() < deadline,
        sleep=sleep,
    )


def reachable(host: Host, known_hosts: Path, timeout: float) -> bool:
    """Whether something listens at the host's SSH port, seen from its gateway if it has one."""
    try:
        if host.gateway:
            with _connect(host.gateway, known_hosts, timeout) as gateway:
                gateway.forward(host, timeout)
            return True
        with dial(host, timeout) as sock:
            sock.settimeout(timeout)
            return bool(sock.recv(1))
    except (NodeError, OSError, paramiko.SSHException, EOFError):
        return False


def offered_key(host: Host, known_hosts: Path, timeout: float) -> Any:
    """The key of a host, without logging in to it; raises what :func:`connect` does."""
    gateway = _connect(host.gateway, known_hosts, timeout) if host.gateway else None
    try:
        dialed = partial(gateway.forward if gateway else dial, host, timeout)
        transport, key = handshake(host, known_hosts, timeout, dialed)
        hang_up(transport)
        return key
    finally:
        if gateway:
            gateway.close()


def _connect(host: Host, known_hosts: Path, timeout: float) -> _Connection:
    gateway = _connect(host.gateway, known_hosts, timeout) if host.gateway else None
    try:
        dialed = partial(gateway.forward if gateway else dial, host, timeout)
        return _Connection(host, login(host, known_hosts, timeout, dialed), gateway)
    except BaseException:
        if gateway:
            gateway.close()
        raise


class _Connection(Remote):
    def __init__(self, host: Host, transport: Any, gateway: _Connection | None) -> None:
        """``transport`` is logged in to ``host``, over a channel of ``gateway`` if given."""
        self._host = host
        self._transport = transport
        self._gateway = gateway
        self._sudo = threading.Lock()
        self._accepted = False

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
        began, outcome = time.monotonic(), "failed"
        try:
            done = self._run(command, stdin, on_line, timeout, apart, content)
            outcome = f"exit {done.status}"
            return done
        finally:
            spent = time.monotonic() - began
            _log.info("%s: %s: %s in %.2f s", self._host.name, shown(command), outcome, spent)

    def _run(
        self,
        command: str,
        stdin: str,
        on_line: Say | None,
        timeout: float | None,
        apart: bool,
        content: Iterable[bytes],
    ) -> Completed:
        lines, errors = _Lines(on_line), b""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            with self._transport.open_session(timeout=60) as channel:
                channel.set_combine_stderr(not apart)
                with self._answering():
                    channel.exec_command(command)
                    channel.sendall(stdin.encode())
                self._send(channel, content, deadline)
                with self._answering():
                    channel.shutdown_write()
                while chunk := _receive(self._transport, channel, deadline):
                    lines.feed(chunk)
                if not channel.status_event.wait(ANSWER):
                    raise EOFError(f"no response within {ANSWER:g} s")
                while apart and (chunk := channel.recv_stderr(65536)):
                    errors += chunk
                status: int = channel.recv_exit_status()
        except TimeoutError as error:
            raise TimedOut(
                f"a command did not finish within {timeout:.0f} s: {_shown(command)}",
                where=self._host.name,
                remedy="check on the node what it is waiting for",
            ) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._lost(error) from error
        if status == -1:  # the channel was closed without a status
            raise self._lost(EOFError("no exit status"))
        return Completed(status, lines.end(), errors.decode(errors="replace"))

    def _send(self, channel: Any, content: Iterable[bytes], deadline: float | None) -> None:
        """Send the content to the command; ends early if the command does."""
        for piece in content:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError
            try:
                with self._answering():
                    channel.sendall(piece)
            except OSError:
                if self._transport.is_active() and channel.exit_status_ready():
                    return  # its output says why
                raise

    def become(self) -> Secret | None:
        password = self._host.become
        if password is None or self._host.user == "root":
            return None
        with self._sudo:
            if not self._accepted:
                # Only the password: sudo must not take what follows it for a second try.
                check = "sudo -S -p '' -- true"
                done = self.run(check, stdin=f"{password.reveal()}\n", timeout=60)
                if done.status:
                    raise _no_sudo(self._host, done)
                self._accepted = True
        return password

    def forward(self, host: Host, timeout: float) -> Any:
        """A channel from this node to another one."""
        address = (host.address, host.port)
        return self._transport.open_channel("direct-tcpip", address, ("", 0), timeout=timeout)

    def answers(self, timeout: float) -> bool:
        try:
            _ask(self._transport, timeout)
        except (paramiko.SSHException, EOFError, OSError):
            return False
        return True

    def __enter__(self) -> _Connection:
        return self

    def close(self) -> None:
        hang_up(self._transport)
        if self._gateway:
            self._gateway.close()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Close the connection unless the block ends in time, where paramiko has no time limit.

        Raises EOFError then.
        """
        late = threading.Event()

        def end() -> None:
            late.set()
            self.close()

        timer = threading.Timer(ANSWER, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise _silent() if late.is_set() else error
        finally:
            timer.cancel()

    def _lost(self, error: Exception) -> Transient:
        return Transient(
            f"the SSH connection was lost ({error or type(error).__name__})",
            where=self._host.name,
            remedy="check that the node is up, then run the command again",
        )


def _no_sudo(host: Host, done: Completed) -> NodeError:
    return NodeError(
        f"sudo does not accept the password of {host.user} ({done.quoted})",
        where=host.name,
        remedy="give the right one with --ask-become-pass, and check that the user may use sudo",
    )


def _receive(transport: Any, channel: Any, deadline: float | None) -> bytes:
    """The next output of the command, empty at its end; raises TimeoutError at the deadline.

    Raises EOFError if sshd no longer answers: the node is frozen, off or without network.
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
    """Check that sshd answers, without starting a process. Raises what paramiko does."""
    try:
        transport.open_session(timeout=timeout).close()
    except paramiko.ChannelException:
        pass  # a refusal is an answer


def _silent() -> EOFError:
    return EOFError(f"no response within {ANSWER:g} s")


class _Lines:
    """Collects bytes, and passes on whole lines."""

    def __init__(self, on_line: Say | None) -> None:
        self._on_line = on_line
        self._all: list[str] = []
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            self._add(line)

    def end(self) -> str:
        if self._rest:
            self._add(self._rest)
        return "".join(f"{line}\n" for line in self._all)

    def _add(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        self._all.append(text)
        if self._on_line:
            self._on_line(text)


def _shown(command: str) -> str:
    return command if len(command) <= 80 else f"{command[:77]}..."
