"""Logs in to a node with paramiko: the ways to it, what is offered, and clear errors."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import paramiko

from stackcook.addresses import bracketed
from stackcook.errors import NodeError
from stackcook.remote import hostkeys
from stackcook.remote.base import Host, Unreachable
from stackcook.remote.identities import Identities, check_usable, identities

_RSA = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")
"""The ways in which a host proves to have an RSA key, which known_hosts files call ``ssh-rsa``."""


def login(host: Host, known_hosts: Path, timeout: float, dial: Callable[[], Any]) -> Any:
    """Log in over the socket or channel that ``dial`` opens; returns paramiko's transport.

    Each phase may take ``timeout`` seconds. Raises Unreachable if no SSH server answers, NodeError
    if the host key is not accepted or the login is refused.
    """
    with identities(host) as offered:
        check_usable(host, offered)
        transport, key = handshake(host, known_hosts, timeout, dial)
        try:
            hostkeys.check(host, key, known_hosts)
            with translated(host):
                _authenticate(transport, host, offered)
        except BaseException:
            hang_up(transport)
            raise
    return transport


def handshake(
    host: Host, known_hosts: Path, timeout: float, dial: Callable[[], Any]
) -> tuple[Any, Any]:
    """A transport and the host's key, which is not checked yet; raises Unreachable."""
    lines = hostkeys.known(host, known_hosts)
    with translated(host):
        sock = dial()
        try:
            transport = paramiko.Transport(sock)
        except BaseException:
            sock.close()
            raise
        try:
            transport.banner_timeout = transport.auth_timeout = timeout
            options = transport.get_security_options()
            wanted = [
                way
                for kind in hostkeys.kinds(lines)
                for way in (_RSA if kind == "ssh-rsa" else (kind,))
                if way in options.key_types
            ]
            others = [way for way in options.key_types if way not in wanted]
            options.key_types = (*wanted, *others)
            transport.start_client(timeout=timeout)
            return transport, transport.get_remote_server_key()  # fails if there was no answer
        except BaseException:
            hang_up(transport)
            raise


def dial(host: Host, timeout: float) -> socket.socket:
    """A connection to ``host``, by its proxy command or by TCP.

    Raises NodeError for a name that doesn't resolve, and OSError.
    """
    if host.proxy:
        return _by_command(host.proxy)
    try:
        sock = socket.create_connection((host.address, host.port), timeout)
    except socket.gaierror as error:
        raise NodeError(
            f"cannot resolve the name {host.address} ({error.strerror})",
            where=host.name,
            remedy="correct `address` in the manifest, or HostName in ~/.ssh/config",
        ) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # saves 40 ms a command
    return sock


def _by_command(command: str) -> socket.socket:
    """A socket whose other end is stdin and stdout of a shell command, as ssh's ProxyCommand.

    paramiko's own does not notice that the command has ended.
    """
    ours, theirs = socket.socketpair()
    shell = os.environ.get("SHELL") or "/bin/sh"
    with theirs:
        process = subprocess.Popen(
            [shell, "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for stackcook
        )
    threading.Thread(target=process.wait, daemon=True).start()  # it ends with the socket
    return ours


def hang_up(transport: Any) -> None:
    """End a connection, from any thread.

    The socket first, as if the node had ended it: paramiko's ``close()`` fails while another
    thread opens a channel.
    """
    with suppress(OSError):  # the node was first
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()


def _authenticate(transport: Any, host: Host, offered: Identities) -> None:
    """Offer one key after the other, then the password; raises NodeError."""
    refused = []
    with suppress(paramiko.BadAuthenticationType):  # the server takes no keys
        for identity in offered.usable:
            try:
                if not transport.auth_publickey(host.user, identity.key):
                    return
                refused.append(f"{identity.label} (accepted, but not enough)")
                break
            except paramiko.BadAuthenticationType:
                refused.append(identity.label)
                raise
            except paramiko.AuthenticationException:
                refused.append(identity.label)
            if not transport.is_active():  # sshd takes only a few
                raise _refused(host, offered, refused)
    if host.password:
        try:
            if not transport.auth_password(host.user, host.password.reveal()):
                return
        except paramiko.AuthenticationException:
            pass
        refused.append("the password")
    raise _refused(host, offered, refused)


def _refused(host: Host, offered: Identities, refused: list[str]) -> NodeError:
    tried = " and ".join(filter(None, (", ".join(refused[:-1]), *refused[-1:]))) or "no key"
    unusable = f" (not usable: {', '.join(offered.unusable)})" if offered.unusable else ""
    remedy = (
        "correct `user` and `key` in the manifest, or add the public key to "
        "authorized_keys on the node"
    )
    if offered.locked:
        remedy = f"add the key to the agent: `ssh-add {offered.locked[0]}`; or {remedy}"
    what = f"SSH login as {_place(host)} with {tried} was refused{unusable}"
    return NodeError(what, where=host.name, remedy=remedy)


@contextmanager
def translated(host: Host) -> Iterator[None]:
    """Turn paramiko's exceptions into Unreachable."""
    try:
        yield
    except (TimeoutError, OSError, paramiko.SSHException, EOFError) as error:
        through = " through its ProxyCommand" if host.proxy else ""
        raise Unreachable(
            f"no SSH response from {_place(host)}{through} ({_reason(error)})",
            where=host.name,
            remedy="check that the machine is up, its address is right and sshd is running",
        ) from error


def _place(host: Host) -> str:
    return f"{host.user}@{bracketed(host.address)}:{host.port}"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError):
        return str(error.strerror or error)
    text = str(error)
    if "banner" in text or text == "No existing session":
        return "the port is open, but no SSH banner came in time"
    return text or type(error).__name__
