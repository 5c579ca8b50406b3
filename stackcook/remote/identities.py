"""What a login offers: private keys in files, their certificates, and the keys of the agent."""

from __future__ import annotations

import copy
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
from paramiko.agent import AgentSSH

from stackcook.command import Secret
from stackcook.errors import NodeError
from stackcook.remote.base import Host

_KINDS: tuple[Any, ...] = (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey)
_loaded: dict[tuple[Path, tuple[int, ...]], Any] = {}
"""Each version of a file → its key, or why it can't be loaded: an RSA key takes long to check, and
a passphrase is asked for once."""
_lock = threading.Lock()


@dataclass(frozen=True)
class Identity:
    """A key that can be offered to a server; ``label`` names it in messages."""

    label: str
    key: Any


@dataclass
class Identities:
    """What a login may offer, in this order. ``unusable`` says which keys can't be, and why.

    A context manager: the agent's keys are valid until it ends.
    """

    usable: list[Identity] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    own: bool = False
    """Whether one of the host's own keys is usable, and not only others of the agent."""
    locked: list[Path] = field(default_factory=list)
    """Keys whose passphrase is not known; these are also in ``unusable``."""
    agent: Any = None

    def __enter__(self) -> Identities:
        return self

    def __exit__(self, *_: object) -> None:
        if self.agent:
            self.agent.close()


def identities(host: Host) -> Identities:
    """The keys for ``host``: its own ones, in files or in the agent, then others of the agent."""
    agent = _Agent(host.agent) if host.agent else None
    found = Identities(agent=agent)
    theirs: dict[bytes, Any] = {key.asbytes(): key for key in agent.get_keys()} if agent else {}
    try:
        for path in host.keys:
            _add(found, host, path, theirs)
        found.own = bool(found.usable)
        if not host.only_keys:
            rest = theirs.values()
            found.usable += (Identity(f"the agent's {key.get_name()} key", key) for key in rest)
    except BaseException:
        found.__exit__()
        raise
    return found


def _add(found: Identities, host: Host, path: Path, theirs: dict[bytes, Any]) -> None:
    """Add what there is of one key; it is taken out of the agent's keys, ``theirs``."""
    public = _public(path)
    label = f"{path} in the agent"
    key = theirs.pop(public, None) if public else None
    if key is None:
        label, key = str(path), load(path)
        if isinstance(key, paramiko.PasswordRequiredException):
            found.locked.append(path)
        if isinstance(key, Exception):
            found.unusable.append(f"{path}: {why(key)}")
            return
        theirs.pop(key.asbytes(), None)
    beside = path.with_name(f"{path.name.removesuffix('.pub')}-cert.pub")
    found.usable += _certified(key, (beside, *host.certificates))
    found.usable.append(Identity(label, key))


def load(path: Path) -> Any:
    """The private key in ``path``, of any kind, or the exception that says why there is none.

    PasswordRequiredException for a key with a passphrase, until :func:`unlock` was called.
    """
    try:
        version = _version(path)
    except OSError as error:
        return error
    with _lock:
        if version not in _loaded:
            _loaded[version] = _read(path, None)
        return _loaded[version]


def unlock(path: Path, passphrase: Secret) -> bool:
    """Load a key with its passphrase, for the rest of this process; False if it is not the one."""
    key = _read(path, passphrase.reveal())
    if isinstance(key, Exception):
        return False
    version = _version(path)
    with _lock:
        _loaded[version] = key
    return True


def _version(path: Path) -> tuple[Path, tuple[int, ...]]:
    stat = path.stat()
    return path, (stat.st_ctime_ns, stat.st_size, stat.st_ino)


def _read(path: Path, passphrase: str | None) -> Any:
    found: Exception | None = None
    for kind in _KINDS:
        try:
            return kind.from_private_key_file(str(path), passphrase)
        except UnicodeDecodeError:
            found = paramiko.SSHException("it is a binary file")
        except (OSError, ValueError, paramiko.SSHException) as error:
            # The first error tells most, unless a later one says that there is a passphrase.
            if found is None or isinstance(error, paramiko.PasswordRequiredException):
                found = error
    return found


def _public(path: Path) -> bytes:
    """The public half, if there is a file with it: for a key that only the agent can use."""
    file = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    try:
        blob: Any = paramiko.pkey.PublicBlob.from_file(str(file)).key_blob
    except (OSError, ValueError, UnicodeDecodeError):
        return b""
    return bytes(blob)


def _certified(key: Any, certificates: Iterable[Path]) -> list[Identity]:
    """The key with each certificate that is one for it."""
    found = []
    for path in certificates:
        certified = copy.copy(key)
        try:
            blob = paramiko.pkey.PublicBlob.from_file(str(path)).key_blob
            certified.load_certificate(str(path))
        except (OSError, ValueError, UnicodeDecodeError):
            continue
        # What follows the kind of the key stands in the certificate as it is.
        if key.asbytes()[4 + len(key.get_name()) :] in blob:
            found.append(Identity(str(path), certified))
    return found


def why(error: Exception) -> str:
    """Why a key can't be used."""
    if isinstance(error, paramiko.PasswordRequiredException):
        return "it has a passphrase"
    if isinstance(error, OSError):
        return str(error.strerror or error)
    return str(error) or type(error).__name__


def check_usable(host: Host, found: Identities) -> None:
    """Raise NodeError if keys are named and none of them can be used, nor anything else."""
    if found.usable or host.password or not found.unusable:
        return
    path, _, reason = found.unusable[0].partition(": ")
    remedy = "set `key` in the manifest to an OpenSSH or PEM private key"
    if found.locked:
        remedy = f"add the key to the agent: `ssh-add {path}`"
    raise NodeError(f"cannot use the SSH key {path} ({reason})", where=host.name, remedy=remedy)


_AgentSSH: Any = AgentSSH  # whose types leave out what a subclass needs


class _Agent(_AgentSSH):  # type: ignore[misc]
    """The agent at a socket, with no keys if nothing answers there."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        try:
            connection.connect(path)
            self._connect(connection)
        except (OSError, paramiko.SSHException):
            connection.close()

    def close(self) -> None:
        """Close the connection to the agent."""
        self._close()
