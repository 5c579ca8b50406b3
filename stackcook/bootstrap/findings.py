"""What preflight can find on a node: each kind has an ID, a severity and a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stackcook.errors import Severity, StackcookError, counted, one_line
from stackcook.manifest.model import EXTERNAL_ATTRIBUTES
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
    "sudo": Kind(
        "the user cannot become root",
        "give that user passwordless sudo, or add --ask-become-pass",
        fatal=True,
    ),
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
    "time-service": Kind(
        "no time service keeps the host's clock right, so it will differ some day",
        "install one, such as systemd-timesyncd or chrony",
        Severity.WARNING,
    ),
    "disk-space": Kind(
        "less disk space is free than the node's recipes need",
        "delete what is not needed, or enlarge the disk",
    ),
    "disk": Kind(
        "a disk for Cinder or Swift is missing or not empty",
        "correct the attribute that names the disk; or empty the disk with `wipefs --all DISK`, "
        "which destroys its data",
    ),
    "disk-health": Kind(
        "a disk says by SMART that it fails; only known where smartmontools is installed",
        "replace the disk",
        Severity.WARNING,
    ),
    "memory": Kind(
        "the host has less memory than the node's recipes need",
        "give the host more memory, or move roles to other nodes",
    ),
    "release": Kind(
        "the operating system is none that the Chef client, or a cookbook (`supports`), runs on",
        "install a supported release",
    ),
    "systemd": Kind(
        "the host was not started by systemd, which runs the services",
        "use a host or a container with systemd",
    ),
    "dns": Kind(
        "the name of a package mirror does not resolve",
        "correct /etc/resolv.conf on the host, or its DNS server",
        passing=True,
    ),
    "mirror": Kind(
        "a package mirror, or the proxy to it, does not respond",
        "correct /etc/apt/sources.list and its directory on the host, or the network",
        passing=True,
    ),
    "apt-lock": Kind(
        "another program holds the lock of apt or dpkg; a deploy waits 5 min for it",
        "wait until that program has ended, or stop it",
        Severity.WARNING,
    ),
    "held-packages": Kind(
        "apt keeps packages at their version that the node's recipes install",
        "if that is not intended: apt-mark unhold PACKAGE",
        Severity.WARNING,
    ),
    "hostname": Kind(
        "the host has no name of its own, or one with other characters than DNS allows",
        "set it: hostnamectl set-hostname NAME",
    ),
    "hostname-duplicate": Kind(
        "two hosts have the same name, or one has the name of another node: OpenStack would take "
        "both for the same host",
        "set it: hostnamectl set-hostname NAME",
    ),
    "hostname-changed": Kind(
        "the cloud knows the host by another name",
        "set the old name again: hostnamectl set-hostname NAME",
    ),
    "hostname-differs": Kind(
        "the host's name is not the node's",
        "set it: hostnamectl set-hostname NAME",
        Severity.WARNING,
    ),
    "hostname-lookup": Kind(
        "the host's own name does not resolve, or to an address that the host does not have",
        "correct the name's line in /etc/hosts on the host, such as `127.0.1.1 NAME`",
        Severity.WARNING,
    ),
    "address": Kind(
        "no interface of the host has the node's `address`, as behind NAT",
        "set `address` to the host's own address, and `ssh_address` to where SSH reaches it",
    ),
    "interface": Kind(
        "the host lacks the interface of the external network, or it cannot have it for itself",
        f"set `external_interface`, or the attribute {EXTERNAL_ATTRIBUTES[0]} for some nodes, "
        "to an interface of the host",
    ),
    "link": Kind(
        "a network card that the cloud will use has no link",
        "check its cable, and the port of the switch",
        Severity.WARNING,
    ),
    "network": Kind(
        "the host cannot have its `interfaces` as the manifest describes them",
        "correct `interfaces` in the manifest",
    ),
    "port": Kind(
        "another program listens on a port that a service of the node needs",
        "stop that program, or move it to another port",
    ),
    "firewall": Kind(
        "a firewall on the host filters incoming packets",
        "open these ports to the other nodes, and those of the APIs and of Horizon to users",
        Severity.WARNING,
    ),
    "leftover": Kind(
        "the host belongs to another Chef server or cloud, or belonged to one; or it has virtual "
        "machines",
        "use another host; or take it over with `--take-over`, which replaces /etc/chef",
    ),
    "tunnel": Kind(
        "the UDP port 6081, for tunnels between nodes, is closed",
        "open UDP port 6081 between the nodes, in the firewalls of the hosts and between them",
    ),
    "mtu": Kind(
        "packets of the size that tunnels need do not arrive in one piece",
        "set the MTU of the interfaces and switches between the nodes, or the attribute "
        "openstack.network.conf.DEFAULT.global_physnet_mtu",
    ),
    "peers": Kind(
        "the connections to other nodes could not be tested",
        "check that the host has ping and perl",
        Severity.WARNING,
    ),
    "kvm": Kind(
        "a compute node without KVM runs instances in emulation (TCG), which is slow",
        "enable virtualization in the firmware, or nested virtualization",
        Severity.WARNING,
    ),
    "kernel": Kind(
        "the kernel lacks what a compute node uses: /dev/net/tun, or the module openvswitch",
        "install a kernel that has it; without openvswitch, packets pass through user space",
        Severity.WARNING,
    ),
    "siblings": Kind(
        "a host differs from the others with the same run list",
        "check that this is the host that you mean",
        Severity.WARNING,
    ),
}
"""Each kind by its ID. IDs are part of the interface: `--ignore` takes them, reports have them."""

LOGIN = tuple(id for id, kind in KINDS.items() if kind.fatal)
"""What keeps stackcook from inspecting a host."""

TOGETHER = ("hostname-duplicate", "hostname-changed", "hostname-differs", "siblings")
"""What shows only beside other nodes."""

BETWEEN = ("tunnel", "mtu", "peers")
"""What nodes find that test their connections to each other."""

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
        row = found.level, found.id, one_line(found.what), one_line(found.to_do)
        nodes.setdefault(row, []).append(found.node)
    table = [(_names(names), *row) for row, names in nodes.items()]
    order = ("error", "ignored", "warning")
    table.sort(key=lambda row: order.index(row[1]))
    return [("node", "severity", "finding", "found", "remedy"), *table]


def _names(names: Sequence[str]) -> str:
    if len(names) <= 3:
        return ", ".join(names)
    return f"{', '.join(names[:2])} and {counted(len(names) - 2, 'more node')}"
