"""SSH host keys: recorded on first contact in a file of ours, that OpenSSH and knife read too."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko

from stackcook.errors import NodeError


class Record(paramiko.MissingHostKeyPolicy):
    """First contact: append the key to our known_hosts file."""

    def __init__(self, known_hosts: Path) -> None:
        self._known_hosts = known_hosts

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        with locked(self._known_hosts):
            now = recorded(hostname, self._known_hosts)
            # Another thread or process may have met the host since the file was read.
            if (known := now.lookup(hostname)) is None:
                with self._known_hosts.open("a") as file:
                    file.write(f"{hostname} {key.get_name()} {key.get_base64()}\n")
            elif (before := known.get(key.get_name())) != key:
                raise paramiko.BadHostKeyException(hostname, key, before or key)


def recorded(alias: str, known_hosts: Path) -> paramiko.HostKeys:
    """The keys of one host; the lines of all others would cost each login more than itself does.

    Raises NodeError for a line of that host that is damaged.
    """
    found = paramiko.HostKeys()
    for number, line in enumerate(known_hosts.read_text().splitlines(), 1):
        names = line.partition(" ")[0]
        if alias not in names.split(",") and not names.startswith("|1|"):  # which is a name hashed
            continue
        try:
            entry = paramiko.hostkeys.HostKeyEntry.from_line(line.strip(), number)
        except (paramiko.hostkeys.InvalidHostKey, paramiko.SSHException) as error:
            raise NodeError(
                f"the SSH host key in line {number} can't be read",
                where=str(known_hosts),
                remedy="take that line out, if you are sure of the host",
            ) from error
        if entry:
            for name in entry.hostnames:
                found.add(name, entry.key.get_name(), entry.key)
    return found


@contextmanager
def locked(known_hosts: Path) -> Iterator[None]:
    """Hold the file, made with mode 0600 if it is not there, against other threads' writing."""
    known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(known_hosts, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def forget(alias: str, known_hosts: Path) -> None:
    """Take out the keys of a machine that is no more; ``alias`` as OpenSSH writes it."""
    if not known_hosts.exists():
        return
    with locked(known_hosts):
        lines = known_hosts.read_text().splitlines(keepends=True)
        known_hosts.write_text("".join(line for line in lines if line.split()[:1] != [alias]))
