"""Asks what logins will need, before any work begins: passphrases, and about unknown host keys."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from stackcook.command import Secret
from stackcook.errors import NodeError, UsageError, counted
from stackcook.files import lock
from stackcook.parallel import parallel_map
from stackcook.remote import hostkeys
from stackcook.remote.base import Host, HostKeys
from stackcook.remote.identities import identities, unlock
from stackcook.remote.ssh import offered_key

TRIES = 3
"""How often a passphrase is asked for."""

TIMEOUT = 10.0
"""Seconds for each phase of asking a host for its key."""


class User(Protocol):
    """Who is asked, at a terminal."""

    def secret(self, question: str) -> Secret:
        """A text that is typed without being shown; may be empty."""
        ...

    def agrees(self, question: str) -> bool:
        """The answer to a question of several lines: yes or no."""
        ...


def make_ready(hosts: Iterable[Host], known_hosts: Path, user: User) -> None:
    """Ask for the passphrases of keys, then once about all host keys that are not known.

    A key that the user skips stays locked. Hosts that don't answer are left to the login. Raises
    UsageError if the user does not accept the host keys.
    """
    ways = {each.alias: each for host in hosts for each in host.way}
    for path in _locked(ways.values()):
        _unlock(path, user)
    depths = {len(host.way) for host in ways.values()}
    for depth in sorted(depths):  # a gateway has to be known before the hosts behind it
        unknown = [h for h in ways.values() if len(h.way) == depth and _unknown(h, known_hosts)]
        _ask_about(unknown, known_hosts, user)


def _locked(hosts: Iterable[Host]) -> tuple[Path, ...]:
    """The keys with a passphrase, of hosts that have no other key of their own."""
    alike = {(h.keys, h.agent, h.only_keys, h.certificates, h.password): h for h in hosts}
    found: dict[Path, None] = {}
    for host in alike.values():
        with identities(host) as offered:
            if not (host.password or offered.own):
                found.update(dict.fromkeys(offered.locked))
    return tuple(found)


def _unlock(path: Path, user: User) -> None:
    for _ in range(TRIES):
        passphrase = user.secret(f"Passphrase of {path} (empty to skip)")
        if not passphrase.reveal() or unlock(path, passphrase):
            return
    remedy = f"add the key to the agent: `ssh-add {path}`"
    raise UsageError(f"wrong passphrase for {path}", remedy=remedy)


def _unknown(host: Host, known_hosts: Path) -> bool:
    if host.host_keys is not HostKeys.ASK or host.host_key:
        return False
    return not hostkeys.kinds(hostkeys.known(host, known_hosts))


def _ask_about(hosts: list[Host], known_hosts: Path, user: User) -> None:
    def ask(host: Host) -> Any:
        try:
            return offered_key(host, known_hosts, TIMEOUT)
        except NodeError:
            return None  # its login will say why

    keys = parallel_map(ask, hosts, workers=32)
    found = [(host, key) for host, key in zip(hosts, keys) if key is not None]
    if not found:
        return
    lines = [
        f"  {host.name} ({host.alias}): {key.get_name()} {hostkeys.fingerprint(key)}"
        for host, key in found
    ]
    question = "\n".join(
        (f"The SSH keys of {counted(len(found), 'host')} are not known:", *lines, "Accept them?")
    )
    if not user.agrees(question):
        remedy = "compare them with `ssh-keygen -lf` on the hosts, then run the command again"
        raise UsageError("the SSH host keys were not accepted", remedy=remedy)
    with lock(known_hosts):
        for host, key in found:
            hostkeys.record(host.alias, key, known_hosts)
