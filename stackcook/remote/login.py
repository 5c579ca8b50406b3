"""Logs in to a node with paramiko: the private key, the host key, and clear errors."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import paramiko

from stackcook.addresses import bracketed
from stackcook.errors import NodeError
from stackcook.files import lock
from stackcook.remote.base import Host, Unreachable


def login(
    host: Host, known_hosts: Path, timeout: float, dial: Callable[[], Any]
) -> tuple[Any, Any]:
    """Log in over the socket or channel that ``dial`` opens; returns client and socket.

    Raises Unreachable if no SSH server answers, NodeError if the login is refused.
    """
    key = _load(host)
    client = paramiko.SSHClient()
    with lock(known_hosts):
        client.get_host_keys().update(recorded(host.alias, known_hosts))
    client.set_missing_host_key_policy(Record(known_hosts))
    with translated(host, known_hosts):
        try:
            sock = dial()
            client.connect(
                host.address,
                port=host.port,
                username=host.user,
                pkey=key,
                password=host.password.reveal() if host.password else None,
                sock=sock,
                allow_agent=False,
                look_for_keys=False,
                timeout=timeout,
                banner_timeout=timeout,
                auth_timeout=timeout,
            )
        except BaseException:
            client.close()
            raise
    return client, sock


def dial(host: Host, timeout: float) -> socket.socket:
    """A TCP connection to ``host`` with TCP_NODELAY, which saves 40 ms a command."""
    sock = socket.create_connection((host.address, host.port), timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def hang_up(client: Any, sock: Any) -> None:
    """End a connection, from any thread.

    The socket first, as if the node had ended it: paramiko's ``close()`` fails while another
    thread opens a channel.
    """
    with suppress(OSError):  # the node was first
        sock.shutdown(socket.SHUT_RDWR)
    client.close()


def _load(host: Host) -> Any:
    """The private key of any kind, loaded here because paramiko hides why it can't load one.

    None if the file does not exist and there is a password instead.
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
    """The key in ``path``, or why it can't be loaded. Cached: an RSA key takes long to check."""
    why: Exception | None = None
    kinds: tuple[Any, ...] = (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey)
    for kind in kinds:
        try:
            return kind.from_private_key_file(str(path))
        except UnicodeDecodeError:
            why = paramiko.SSHException("it is a binary file")
        except (OSError, paramiko.SSHException) as error:
            # The first error tells most, unless a later one says that there is a passphrase.
            if why is None or isinstance(error, paramiko.PasswordRequiredException):
                why = error
    return why


def _unusable(host: Host, why: Exception) -> NodeError:
    return NodeError(
        f"cannot use the SSH key {host.key} ({_reason(why)})",
        where=host.name,
        remedy="set `key` in the manifest to an unencrypted OpenSSH or PEM private key",
    )


@contextmanager
def translated(host: Host, known_hosts: Path) -> Iterator[None]:
    """Turn paramiko's exceptions into Unreachable and NodeError."""
    at = f"{host.user}@{bracketed(host.address)}:{host.port}"
    try:
        yield
    except paramiko.BadHostKeyException as error:
        command = f"ssh-keygen -f {shlex.quote(str(known_hosts))} -R {shlex.quote(host.alias)}"
        raise NodeError(
            f"the SSH host key of {host.alias} has changed",
            where=host.name,
            remedy=f"if the machine was reinstalled, remove the old key: {command}",
        ) from error
    except paramiko.AuthenticationException as error:
        raise NodeError(
            f"SSH login as {at} with {_credentials(host)} was refused",
            where=host.name,
            remedy="correct `user` and `key` in the manifest, or add the public key to "
            "authorized_keys on the node",
        ) from error
    except (TimeoutError, OSError, paramiko.SSHException, EOFError) as error:
        raise Unreachable(
            f"no SSH response from {at} ({_reason(error)})",
            where=host.name,
            remedy="check that the machine is up, its address is right and sshd is running",
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError):
        return str(error.strerror or error)
    text = str(error)
    if "banner" in text or text == "No existing session":
        return "the port is open, but no SSH banner came in time"
    return text or type(error).__name__


def _credentials(host: Host) -> str:
    return f"{host.key} and the password" if host.password else str(host.key)


class Record(paramiko.MissingHostKeyPolicy):
    """Appends the key of an unknown host to the known_hosts file."""

    def __init__(self, known_hosts: Path) -> None:
        self._known_hosts = known_hosts

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        with lock(self._known_hosts):
            now = recorded(hostname, self._known_hosts)
            # Another thread or process may have recorded it since the file was read.
            if (known := now.lookup(hostname)) is None:
                with self._known_hosts.open("a") as file:
                    file.write(f"{hostname} {key.get_name()} {key.get_base64()}\n")
            elif (before := known.get(key.get_name())) != key:
                raise paramiko.BadHostKeyException(hostname, key, before or key)


def recorded(alias: str, known_hosts: Path) -> paramiko.HostKeys:
    """The keys of one host. Only its lines are parsed: all of a large file would slow each login.

    Raises NodeError for a line of that host that is damaged.
    """
    found = paramiko.HostKeys()
    for number, line in enumerate(known_hosts.read_text().splitlines(), 1):
        names = line.partition(" ")[0]
        if alias not in names.split(",") and not names.startswith("|1|"):  # hashed
            continue
        try:
            entry = paramiko.hostkeys.HostKeyEntry.from_line(line.strip(), number)
        except (paramiko.hostkeys.InvalidHostKey, paramiko.SSHException) as error:
            raise NodeError(
                f"invalid SSH host key on line {number}",
                where=str(known_hosts),
                remedy="remove this line if you trust the host; the next login records its key "
                "again",
            ) from error
        if entry:
            for name in entry.hostnames:
                found.add(name, entry.key.get_name(), entry.key)
    return found


def forget(alias: str, known_hosts: Path) -> None:
    """Remove the keys of a machine that no longer exists; ``alias`` as OpenSSH writes it."""
    if not known_hosts.exists():
        return
    with lock(known_hosts):
        lines = known_hosts.read_text().splitlines(keepends=True)
        known_hosts.write_text("".join(line for line in lines if line.split()[:1] != [alias]))
