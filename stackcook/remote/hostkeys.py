"""Host keys: the known_hosts files of OpenSSH and of stackcook, and whether a key is accepted."""

from __future__ import annotations

import hashlib
import shlex
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import paramiko

from stackcook.errors import NodeError
from stackcook.files import lock
from stackcook.remote.base import Host, HostKeys

ACCEPT = "--accept-new-host-keys"
"""The option that accepts the keys of unknown hosts."""


class Line(NamedTuple):
    """A key of a host in a known_hosts file. ``marker`` is empty or such as ``@revoked``."""

    file: Path
    number: int
    marker: str
    kind: str
    blob: str


def fingerprint(key: Any) -> str:
    """``SHA256:…``, as ssh-keygen shows it."""
    return f"SHA256:{b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip('=')}"


def known(host: Host, own: Path) -> tuple[Line, ...]:
    """What all files have about ``host``: our ``own``, which is created, and the user's."""
    with lock(own):
        return _known(host, own)


def _known(host: Host, own: Path) -> tuple[Line, ...]:
    theirs = (line for file in host.known_hosts for line in _lines(file, host.alias))
    return (*_lines(own, host.alias, strict=True), *theirs)


def kinds(lines: tuple[Line, ...]) -> tuple[str, ...]:
    """The kinds of the keys that are known, to ask the host for one of these."""
    return tuple(dict.fromkeys(line.kind for line in lines if not line.marker))


def check(host: Host, key: Any, own: Path) -> None:
    """Accept ``key`` as that of ``host``, or raise NodeError.

    The key of an unknown host is recorded in the file ``own`` if ``host.host_keys`` says so.
    """
    with lock(own):  # another thread or process may have recorded a key since the login began
        if _accepted(host, key, _known(host, own)):
            return
        if host.host_keys in (HostKeys.YES, HostKeys.ASK):
            raise _unknown(host, key)
        if host.host_keys is HostKeys.NEW:
            record(host.alias, key, own)


def _accepted(host: Host, key: Any, lines: tuple[Line, ...]) -> bool:
    """Whether a key is known; raises NodeError if it must not be used."""
    same = [line for line in lines if (line.kind, line.blob) == _parts(key)]
    for line in same:
        if line.marker == "@revoked":
            raise NodeError(
                f"the SSH host key of {host.alias} is revoked by line {line.number}",
                where=f"{host.name}: {line.file}",
                remedy="give the host a new key, or remove this line if it is wrong",
            )
    if host.host_key:
        if fingerprint(key) == host.host_key:
            return True
        raise NodeError(
            f"the SSH host key of {host.alias} is {fingerprint(key)}, "
            f"but `host_key` is {host.host_key}",
            where=host.name,
            remedy="correct `host_key` in the manifest if you trust the host",
        )
    plain = [line for line in lines if not line.marker]
    if any(line in same for line in plain):
        return True
    if plain and host.host_keys is not HostKeys.NO:
        raise _changed(host, key, plain)
    return bool(plain)


def record(alias: str, key: Any, file: Path) -> None:
    """Append the key of a host to a known_hosts file, which the caller has locked."""
    kind, blob = _parts(key)
    with file.open("a") as out:
        out.write(f"{alias} {kind} {blob}\n")


def adopt(host: Host, own: Path) -> None:
    """Copy the host's keys from the user's files to ``own``, for a program that reads only that."""
    lines = known(host, own)
    if any(line.file == own for line in lines):
        return
    with lock(own), own.open("a") as out:
        for line in lines:
            if not line.marker:
                out.write(f"{host.alias} {line.kind} {line.blob}\n")


def forget(alias: str, file: Path) -> None:
    """Remove the keys of a machine that no longer exists; ``alias`` as OpenSSH writes it."""
    if not file.exists():
        return
    with lock(file):
        lines = _text(file).splitlines(keepends=True)
        _write(file, (line for line in lines if line.split()[:1] != [alias]))


def move(addresses: Mapping[str, str], file: Path) -> None:
    """Let the keys of machines be those of their new addresses; ``addresses`` are old → new."""
    if not addresses or not file.exists():
        return
    with lock(file):
        lines = (line.partition(" ") for line in _text(file).splitlines(keepends=True))
        _write(file, (addresses.get(alias, alias) + blank + key for alias, blank, key in lines))


def _text(file: Path) -> str:
    """Its text; what is not UTF-8, as in a comment, is written as it was by :func:`_write`."""
    return file.read_text(errors="surrogateescape")


def _write(file: Path, lines: Iterable[str]) -> None:
    """Write over the file, which is locked: on a full disk, an empty one could not be filled."""
    with file.open("r+", errors="surrogateescape") as out:
        out.write("".join(lines))
        out.truncate()


def _parts(key: Any) -> tuple[str, str]:
    return key.get_name(), key.get_base64()


def _changed(host: Host, key: Any, lines: list[Line]) -> NodeError:
    line = next((line for line in lines if line.kind == key.get_name()), lines[0])
    command = f"ssh-keygen -f {shlex.quote(str(line.file))} -R {shlex.quote(host.alias)}"
    return NodeError(
        f"the SSH host key of {host.alias} has changed to {fingerprint(key)}: "
        f"line {line.number} of {line.file} has another one",
        where=host.name,
        remedy=f"if the machine was reinstalled, remove the old key: {command}",
    )


def _unknown(host: Host, key: Any) -> NodeError:
    remedy = f"compare it with the host's own, then add {ACCEPT}"
    if host.host_keys is HostKeys.YES:
        remedy = "add it to your known_hosts: StrictHostKeyChecking is yes"
    what = f"the SSH host key of {host.alias}, {fingerprint(key)}, is not known"
    return NodeError(what, where=host.name, remedy=remedy)


def _lines(file: Path, alias: str, *, strict: bool = False) -> Iterator[Line]:
    """The keys of one host. Only its lines are parsed: all of a large file would slow each login.

    A damaged line of that host is ignored, as ssh does; if ``strict``, raises NodeError.
    """
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return  # the user's file need not exist
    for number, line in enumerate(text.splitlines(), 1):
        marker, _, rest = line.strip().partition(" ") if line.startswith("@") else ("", "", line)
        names = rest.split(maxsplit=1)[:1]
        if not names or names[0].startswith("#") or not _named(alias, names[0]):
            continue
        try:
            entry = paramiko.hostkeys.HostKeyEntry.from_line(rest.strip(), number)
        except (paramiko.hostkeys.InvalidHostKey, paramiko.SSHException) as error:
            if not strict:
                continue
            raise NodeError(
                f"invalid SSH host key on line {number}",
                where=str(file),
                remedy="remove this line if you trust the host; the next login records its key "
                "again",
            ) from error
        if entry:  # of a kind that paramiko knows
            yield Line(file, number, marker, *_parts(entry.key))


def _named(alias: str, names: str) -> bool:
    """Whether a host is one of the names of a line: patterns, some of them hashed."""
    alias, found = alias.lower(), False
    for name in names.split(","):
        if name.startswith("|1|"):
            found |= _hashed(alias, name)
            continue
        negated, name = name.startswith("!"), name.removeprefix("!").lower()
        # brackets are part of the name: [ADDRESS]:PORT
        if name == alias or fnmatchcase(alias, name.replace("[", "[[]")):
            if negated:
                return False
            found = True
    return found


def _hashed(alias: str, name: str) -> bool:
    try:
        return bool(paramiko.HostKeys.hash_host(alias, name) == name)
    except (ValueError, AssertionError, IndexError):  # a damaged line
        return False
