"""What preflight can find on a node: each kind has an ID, a severity and a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stackcook.errors import Severity, StackcookError, counted
from stackcook.remote.base import Unreachable


@dataclass(frozen=True)
class Kind:
    """A kind of finding. ``passing``: it may pass by itself, so preflight is tried again.

    Only a finding that is not ``fatal`` can be ignored: without a login, nothing works.
    """

    meaning: str
    remedy: str
    severity: Severity = Severity.ERROR
    passing: bool = False
    fatal: bool = False


KINDS: Mapping[str, Kind] = {
    "unreachable": Kind(
        "no SSH server answers",
        "check that the host is up, its address is right and sshd is running",
        fatal=True,
    ),
    "host-key": Kind(
        "the SSH host key is not the recorded one",
        "if the host was reinstalled, remove the old key",
        fatal=True,
    ),
    "login": Kind(
        "the login, or something else that preflight needs, fails",
        "correct `user` and `key` in the manifest",
        fatal=True,
    ),
    "sudo": Kind("the user cannot become root", "give that user passwordless sudo", fatal=True),
    "chef-server": Kind(
        "the host cannot reach the Chef server",
        "open the Chef server's port in the firewalls, or set `chef_server` to an address that the "
        "host can reach",
        passing=True,
    ),
    "clock": Kind(
        "the clock differs from the Chef server's by more than 10 min",
        "set the clock, and let a time service such as systemd-timesyncd keep it right",
    ),
    "disk-space": Kind(
        "less disk space is free than needed", "delete what is not needed, or enlarge the disk"
    ),
    "hostname": Kind("the host has no name of its own", "set it: hostnamectl set-hostname NAME"),
    "release": Kind(
        "the operating system is none that the Chef client, or a cookbook, supports",
        "install a supported release",
    ),
}
"""Each kind by its ID. IDs are part of the interface: `--ignore` takes them, reports have them."""

IGNORABLE = tuple(sorted(id for id, kind in KINDS.items() if not kind.fatal))


@dataclass(frozen=True)
class NodeFinding:
    """Something wrong on ``node``: what it is, what to do, and whether the user ignores it.

    ``remedy`` is empty where that of its kind fits.
    """

    id: str
    node: str
    what: str
    remedy: str = ""
    ignored: bool = False

    @property
    def kind(self) -> Kind:
        """What is the same for all findings with this ID."""
        return KINDS[self.id]

    @property
    def stops(self) -> bool:
        """Whether the node must not be changed."""
        return self.kind.severity is Severity.ERROR and not self.ignored

    @property
    def level(self) -> str:
        """``error``, ``warning``, or ``ignored``."""
        return "ignored" if self.ignored else self.kind.severity.value

    @property
    def to_do(self) -> str:
        """The remedy."""
        return self.remedy or self.kind.remedy

    def data(self) -> dict[str, str]:
        """The finding as JSON holds it."""
        return {
            "id": self.id,
            "node": self.node,
            "severity": self.level,
            "what": self.what,
            "remedy": self.to_do,
        }


def of_error(error: StackcookError, node: str) -> NodeFinding:
    """The finding that an error stands for, which a login or preflight itself has raised."""
    id = "login"
    if isinstance(error, Unreachable):
        id = "unreachable"
    elif "host key" in error.what:
        id = "host-key"
    elif "become root" in error.what:
        id = "sudo"
    return NodeFinding(id, node, error.what, error.remedy)


def rows(findings: Iterable[NodeFinding]) -> Sequence[tuple[str, str, str, str, str]]:
    """A table with a head: the node, severity, ID, what was found, and what to do.

    Nodes with the same finding share a row; errors come first.
    """
    nodes: dict[tuple[str, str, str, str], list[str]] = {}
    for found in findings:
        row = found.level, found.id, found.what, found.to_do
        nodes.setdefault(row, []).append(found.node)
    table = [(_names(names), *row) for row, names in nodes.items()]
    order = ("error", "ignored", "warning")
    table.sort(key=lambda row: order.index(row[1]))
    return [("node", "severity", "finding", "found", "remedy"), *table]


def _names(names: Sequence[str]) -> str:
    if len(names) <= 3:
        return ", ".join(names)
    return f"{', '.join(names[:2])} and {counted(len(names) - 2, 'more node')}"
