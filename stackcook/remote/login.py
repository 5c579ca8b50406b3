"""Logging in to a node with paramiko, whose exceptions end here: as NodeError, with the remedy."""

from __future__ import annotations

import hmac
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import paramiko

from stackcook.errors import NodeError
from stackcook.remote.base import Host, Unreachable
from stackcook.remote.hostkeys import Record, locked, recorded


# paramiko compares each packet's checksum by a loop in Python; this takes as long for any two, too,
# and a five hundredth of the time.
setattr(paramiko.util, "constant_time_bytes_eq", hmac.compare_digest)

IDLE = 5.0
"""Seconds after which paramiko looks up from an idle connection. Its own 0.1 s cost, with a hundred
connections, more than all that is done over them."""


def login(host: Host, known_hosts: Path, timeout: float, way: Any = None) -> Any:
    """A paramiko client; ``way`` is the channel to go by, in place of a connection of its own.

    Raises Unreachable if no SSH server answers, NodeError if the login is refused.
    """
    key = _load(host)
    client = paramiko.SSHClient()
    with locked(known_hosts):
        client.get_host_keys().update(recorded(host.alias, known_hosts))
    client.set_missing_host_key_policy(Record(known_hosts))
    with translated(host, known_hosts):
        try:
            client.connect(
                host.address,
                port=host.port,
                username=host.user,
                pkey=key,
                password=host.password.reveal() if host.password else None,
                sock=way or _dial(host, timeout),
                allow_agent=False,
                look_for_keys=False,
                timeout=timeout,
                banner_timeout=timeout,
                auth_timeout=timeout,
            )
        except BaseException:
            client.close()
            raise
    if way is None and (transport := client.get_transport()):
        transport.sock.settimeout(IDLE)
    return client


def hang_up(client: Any) -> None:
    """End a connection, from any thread."""
    transport = client.get_transport()
    if transport and isinstance(transport.sock, socket.socket):
        with suppress(OSError):  # the other side was first
            transport.sock.shutdown(socket.SHUT_RDWR)  # what reads there wakes up
    client.close()


def _dial(host: Host, timeout: float) -> socket.socket:
    """A connection whose small messages go at once.

    paramiko's own hold each back until the one before is acknowledged, 40 ms with most kernels.
    """
    found = socket.create_connection((host.address, host.port), timeout)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _load(host: Host) -> Any:
    """The private key, whatever kind it is; paramiko's own guessing hides why a login failed.

    None where there is none, but a password.
    """
    if host.password and not host.key.exists():
        return None
    try:
        stat = host.key.stat()
    except OSError as error:
        raise _unusable(host, error) from error
    found = _read(host.key, (stat.st_ctime_ns, stat.st_size, stat.st_ino))
    if isinstance(found, Exception):
        raise _unusable(host, found) from found
    return found


@lru_cache(maxsize=64)
def _read(path: Path, version: tuple[int, ...]) -> Any:
    """The key in ``path``, or why there is none; to check an RSA key takes longer than a login."""
    why: Exception | None = None
    kinds: tuple[Any, ...] = (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey)
    for kind in kinds:
        try:
            return kind.from_private_key_file(str(path))
        except (OSError, paramiko.SSHException) as error:
            # Not this kind, or no key at all: the first word is the best, save a passphrase's.
            if why is None or isinstance(error, paramiko.PasswordRequiredException):
                why = error
    return why


def _unusable(host: Host, why: Exception) -> NodeError:
    return NodeError(
        f"the SSH key {host.key} can't be used ({_reason(why)})",
        where=host.name,
        remedy="give `key` in the manifest an unencrypted OpenSSH or PEM private key",
    )


@contextmanager
def translated(host: Host, known_hosts: Path) -> Iterator[None]:
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
