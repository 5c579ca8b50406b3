"""Checks the services of nodes over SSH: whether systemd says active, and which ports listen.

Inactive is a failure even if nothing failed: Debian's wrapper scripts exit 0 if they are not told
what to start.
"""

from __future__ import annotations

import shlex
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from threading import Lock

from stackcook.errors import NodeError, VerifyError, counted, one_line
from stackcook.remote.base import Connect, Host, Remote, as_root
from stackcook.remote.ssh import connect
from stackcook.verify import diagnosis, logins, machine
from stackcook.verify.check import Check, Checks, journal, log_of, logs_of
from stackcook.verify.placing import OVN, Placed, Service

PROPERTIES = (
    "LoadState ActiveState SubState Result ExecMainStatus NRestarts"
    " ActiveEnterTimestamp InactiveEnterTimestamp"
).split()
MARK = "--- stackcook ---"
BACKENDS = Path(__file__).with_name("backends.py")
"""The program that asks an internal service, on its node."""

INTERNAL_CA = "/etc/openstack/internal-ca.pem"
"""On a node: the CA certificates for services between nodes."""

STABLE = 20.0
"""Seconds that a restarted unit must be up before it counts as healthy."""


@dataclass(frozen=True)
class Seen:
    """What a node reports: its clock, the TCP ports with a listener, each unit's properties.

    ``clock`` are the seconds since the epoch by its clock, between ``asked`` and ``answered`` by
    ours; ``free`` are KiB by mount point; ``rejected`` are units whose password was just rejected.
    """

    now: str
    ports: frozenset[int]
    units: Mapping[str, Mapping[str, str]]
    clock: float = 0.0
    asked: float = 0.0
    answered: float = 0.0
    free: Mapping[str, int] = field(default_factory=dict)
    rejected: frozenset[str] = frozenset()


def look(remote: Remote, node: Placed) -> Seen:
    """Ask for the state of all of the node's services, then for rejected logins in their logs.

    Raises NodeError or VerifyError.
    """
    units = [service.unit for service in node.services]
    asked = time.time()
    done = as_root(remote, question(units), timeout=20, apart=True)
    try:
        seen = replace(answer(done.output, units), asked=asked, answered=time.time())
    except ValueError as error:
        raise VerifyError(
            f"cannot read the state of its services ({error}; output: {done.quoted})",
            remedy=f"check `stackcook ssh {node.name} -- systemctl`",
        ) from error

    logs = {service.unit: service.logs for service in node.services if service.logs}
    if not logs:
        return seen
    found = as_root(remote, logins.question(logs), timeout=20, apart=True).output
    began = {u: diagnosis.moment(seen.units[u].get("ActiveEnterTimestamp", "")) for u in logs}
    return replace(seen, rejected=logins.rejected(found, seen.now, began))


def question(units: list[str]) -> str:
    """The shell command, to be run as root; it needs no tools but systemd's, grep and df.

    df leaves out what is mounted in a directory that its user may not enter, as a service's data
    often is. Listening sockets have state 0A in /proc/net/tcp; a minimal node has no ``ss``.
    """
    names = " ".join(map(shlex.quote, units))  # systemctl adds .service to those without a kind
    show = f"systemctl show -p {','.join(('Id', *PROPERTIES))} -- {names}"
    listening = "grep -h ' 0A ' /proc/net/tcp /proc/net/tcp6 2>/dev/null"
    mark = f"echo '{MARK}'"
    return (
        f"export LC_ALL=C; date '+%F %T %s'; {listening}; {mark}; {machine.DISKS}; {mark}; {show}"
    )


def answer(output: str, units: list[str]) -> Seen:
    """Read the answer to :func:`question`; raises ValueError."""
    head, disks, tail = output.split(f"{MARK}\n")
    clock, *sockets = head.splitlines() or [""]
    now, _, seconds = clock.rpartition(" ")
    # Units come in the order in which they were asked for; an alias' Id is another name.
    blocks = [
        dict(line.partition("=")[::2] for line in block.splitlines())
        for block in tail.strip().split("\n\n")
    ]
    if len(blocks) != len(units):
        raise ValueError(f"{len(units)} units asked, {len(blocks)} answered")
    datetime.fromisoformat(now)
    ports = frozenset(int(line.split()[1].rsplit(":", 1)[1], 16) for line in sockets)
    free = machine.free_space(disks.splitlines()[1:])
    return Seen(now, ports, dict(zip(units, blocks)), float(seconds), free=free)


def checks(seen: Seen, node: Placed, seconds: float = 0.0) -> Checks:
    """One check for each service of the node, and those of its machine."""
    causes = ((service.unit, _cause(seen, service)) for service in node.services)
    of_services = (
        Check(unit, node.name, not cause, cause, cause and journal(node.name, unit), seconds, unit)
        for unit, cause in causes
    )
    ahead = max(seen.clock - seen.answered, 0.0) + min(seen.clock - seen.asked, 0.0)
    return *machine.checks(node.name, seen.free, ahead), *of_services


def southbound(remote: Remote) -> None:
    """Raise VerifyError unless ovn-controller is connected to OVN's southbound database."""
    status = _asked(remote, "ovn-appctl -t ovn-controller connection-status")
    if status != "connected":
        address = _asked(remote, "ovs-vsctl get Open_vSwitch . external-ids:ovn-remote")
        raise VerifyError(
            f"{OVN} has no connection to OVN's southbound database at {address} ({status})"
        )


def _asked(remote: Remote, command: str) -> str:
    """What a command prints as root, in one line; raises VerifyError if the node fails."""
    try:
        done = as_root(remote, command, timeout=10, apart=True)
        return one_line(done.output or done.errors)
    except NodeError as error:
        raise VerifyError(error.what, remedy=error.remedy) from error


def settled(seen: Seen, node: Placed) -> bool:
    """Whether a retry would give the same result: nothing is starting or has just started."""
    for service in node.services:
        unit = seen.units[service.unit]
        young = unit.get("ActiveState") == "active" and _cause(seen, service)
        if young or unit.get("ActiveState") in ("activating", "reloading"):
            return False
    return True


def _cause(seen: Seen, service: Service) -> str:
    """Why the service is not healthy, ``""`` if it is."""
    unit = seen.units[service.unit]
    state, sub = unit.get("ActiveState", "unknown"), unit.get("SubState", "")
    if unit.get("LoadState") in ("not-found", "masked"):
        return f"its systemd unit is {unit['LoadState']}"
    if state == "active":
        return _crashing(seen, unit) or _not_listening(seen, service) or _rejected(seen, service)
    ended = diagnosis.moment(unit.get("InactiveEnterTimestamp", ""))
    since = f" since {ended}" if ended and state in ("inactive", "failed") else ""
    if sub == "auto-restart":
        return (
            f"it keeps exiting with status {unit.get('ExecMainStatus')}, and systemd keeps "
            "restarting it"
        )
    if state == "failed":
        status = unit.get("ExecMainStatus")
        return f"it failed{since} ({unit.get('Result')}, exit status {status})"
    if state == "inactive":
        return f"it is inactive{since}: it was stopped, or exited without an error"
    return f"it is {state} ({sub})"


def _crashing(seen: Seen, unit: Mapping[str, str]) -> str:
    restarts = int(unit.get("NRestarts") or 0)
    began = diagnosis.moment(unit.get("ActiveEnterTimestamp", ""))
    if not restarts or not began:
        return ""
    up = (datetime.fromisoformat(seen.now) - datetime.fromisoformat(began)).total_seconds()
    if up >= STABLE:
        return ""
    return f"it keeps crashing: {counted(restarts, 'restart')}, the last one {max(up, 0):.0f} s ago"


def _not_listening(seen: Seen, service: Service) -> str:
    missing = [str(port) for port in service.ports if port not in seen.ports]
    if not missing:
        return ""
    return f"it is active, but nothing listens on port {', '.join(missing)}"


def _rejected(seen: Seen, service: Service) -> str:
    return "a password in its configuration is rejected" if service.unit in seen.rejected else ""


TIMEOUT = 8.0
"""Seconds that each phase of a login may take."""


class Sessions:
    """The connections of one verification; a context manager that closes them all."""

    def __init__(
        self, hosts: Mapping[str, Host], known_hosts: Path, *, opener: Connect = connect
    ) -> None:
        self._hosts = hosts
        self._known_hosts = known_hosts
        self._opener = opener
        self._opened: dict[str, Remote | VerifyError] = {}
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._turns: defaultdict[str, Lock] = defaultdict(Lock)

    def on(self, node: str) -> Remote:
        """The connection to a node; raises VerifyError if there is none, at once after the first.

        A node that can't be reached is not tried again: each try may take many seconds.
        """
        with self._locks[node]:
            if node not in self._opened:
                self._opened[node] = self._connected(node)
            found = self._opened[node]
        if isinstance(found, VerifyError):
            raise found
        return found

    def _connected(self, node: str) -> Remote | VerifyError:
        host = self._hosts.get(node)
        if host is None:
            return VerifyError("the machine does not exist", remedy="run `stackcook deploy`")
        try:
            return self._opener(host, self._known_hosts, timeout=TIMEOUT)
        except NodeError as error:
            return VerifyError(error.what, remedy=error.remedy)

    def explained(self, check: Check, nodes: Sequence[Placed], secrets: Collection[str]) -> Check:
        """A failed check with what the log of the unit to blame says; any other as it is.

        Without a remedy, it gets the command that shows that log. Behind the address that
        controllers share, it is not known whose log that is: then the remedy names all of them.
        """
        if check.ok or not check.unit:
            return check
        node = next((node for node in nodes if node.name == check.node), None)
        if node is None:
            return replace(check, remedy=check.remedy or logs_of(nodes, check.unit))
        why = diagnosis.explain(self.log(node, check.unit), secrets)
        cause = f"{check.cause}; {why}" if why else check.cause
        return replace(check, cause=cause, remedy=check.remedy or log_of(node, check.unit))

    def log(self, node: Placed, unit: str) -> str:
        """The answer to :func:`diagnosis.question`; ``""`` if the node can't be asked.

        Its own SSH check reports that.
        """
        service = node.service(unit) or Service(unit)
        return self.output(node.name, diagnosis.question(service))

    def output(self, node: str, command: str, timeout: float = 10.0) -> str:
        """What a command prints that root runs; ``""`` if the node can't be asked."""
        try:
            remote = self.on(node)
            with self._turns[node]:  # sshd allows ten commands at once on a connection
                return as_root(remote, command, timeout=timeout, apart=True).output
        except (NodeError, VerifyError):
            return ""

    def ask(
        self,
        node: Placed,
        kind: str,
        port: int,
        path: str = "",
        *,
        stdin: str = "",
        address: str = "",
        secure: bool = False,
    ) -> str:
        """What an internal service of the node answers to :data:`BACKENDS`, which runs there.

        It is asked at another ``address`` if there is one; if it is ``secure``, over TLS. Raises
        VerifyError with the reason if it does not answer as it should.
        """
        at = (address or node.address, str(port), path, *([INTERNAL_CA] if secure else ()))
        words = ("python3", "-c", BACKENDS.read_text(), kind, *at)
        try:
            remote = self.on(node.name)
            with self._turns[node.name]:
                done = remote.run(shlex.join(words), stdin=stdin, timeout=30, apart=True)
        except NodeError as error:
            raise VerifyError(error.what, remedy=error.remedy) from error
        if done.status:
            raise VerifyError(done.last)
        return done.output

    def __enter__(self) -> Sessions:
        return self

    def __exit__(self, *_: object) -> None:
        for found in self._opened.values():
            if not isinstance(found, VerifyError):
                found.close()
