"""The lab's networks, each a bridge with NAT: one for management, one for floating IPs.

No packet to a lab address leaves by another interface: while a bridge is missing, its range is
routed ``unreachable``, so that nothing sent to it takes the default route. The kernel's tables are
the only state.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from stackcook import retry
from stackcook.command import Command, Completed, Runner, as_root, find_program
from stackcook.command import run as run_command
from stackcook.errors import MachineError
from stackcook.files import may_exist

UNREACHABLE_METRIC = 1_000_000
"""After every route of an interface; the longer prefix puts it before the default route."""


_PREFIXES = {"network": "br", "external_network": "ex"}
"""The key of the manifest that names a network → how the name of its bridge begins."""

INSTANCE_PORTS = (5000, 8004, 13000, 13004)
"""What instances may reach on nodes: Keystone and Heat, to which they send signals; the last two
are those with TLS."""


def external_attributes(
    network: IPv4Network, interface: str | None, share: tuple[int, int] = (0, 1)
) -> Mapping[str, Any]:
    """The attributes below ``openstack`` for an external network; ``interface`` is the nodes'.

    ``share`` is a zone's number, from 0, and how many there are: each gets its own part of the
    addresses for floating IPs and routers.
    """
    number, count = share
    parts = (100 + 100 * border // count for border in (number, number + 1))
    first, end = (network.num_addresses * part // 256 for part in parts)
    external = {
        "cidr": str(network),
        "gateway": str(network.network_address + 1),
        "pool": {"start": str(network[first]), "end": str(network[end - 1])},
    }
    provider = {"provider": {"interface": interface}} if interface else {}
    return {"network": {**provider, "external": external}}


@dataclass(frozen=True)
class LabNetwork:
    """One bridge of a lab and its address range; ``owner`` is the directory of the lab's manifest.

    ``key`` is the manifest's key for it, ``network`` or ``external_network``. The bridge is called
    ``br-NAME`` or ``ex-NAME``, and has the first address of the range.
    """

    name: str
    network: IPv4Network
    owner: Path
    run: Runner = run_command
    key: str = "network"

    @property
    def bridge(self) -> str:
        """The bridge's interface name; at most 15 characters fit."""
        return f"{_PREFIXES[self.key]}-{self.name}"

    @property
    def address(self) -> IPv4Address:
        """This machine's address on the bridge."""
        return next(self.network.hosts())

    def up(self) -> None:
        """Make the network, or what is missing of it.

        Raises MachineError if the bridge or a part of the range is in use by something else.
        """
        self._refuse_conflicts()
        cidr, bridge = str(self.network), self.bridge
        self._ip("route", "replace", "unreachable", cidr, "metric", str(UNREACHABLE_METRIC))
        if bridge not in self._owners():
            self._ip("link", "add", bridge, "type", "bridge")
        self._ip("link", "set", bridge, "alias", str(self.owner))
        self._ip("address", "replace", f"{self.address}/{self.network.prefixlen}", "dev", bridge)
        self._ip("link", "set", bridge, "up")
        self._forward()
        self.guard([self.address + 1])

    def down(self) -> None:
        """Remove what there is of the network, the unreachable route last.

        The bridge of another checkout is left alone.
        """
        owners = self._owners()
        if not self._may_use(owners):
            return
        self._nft(f"add table ip {self._table}\ndelete table ip {self._table}\n")
        if self.bridge in owners:
            self._ip("link", "delete", self.bridge)
        if next(self._elsewhere(), None):
            return  # the route protects another lab, which has the same range
        for route in self._ask("route", "show", "type", "unreachable"):
            if route["dst"] == str(self.network):
                self._ip("route", "delete", "unreachable", route["dst"])

    def guard(self, addresses: Iterable[IPv4Address]) -> None:
        """Raises MachineError if a packet to one of ``addresses`` would not leave by the bridge."""
        for address in addresses:
            dev = next(
                (route.get("dev") for route in self._ask("route", "get", str(address))), None
            )
            if dev not in (self.bridge, "lo"):
                raise MachineError(
                    f"packets to {address} would leave through {dev}, not through {self.bridge}",
                    where=str(self.network),
                    remedy=f"use another `{self.key}`, to which this machine has no route yet",
                )

    def as_found(self) -> LabNetwork | None:
        """This network with the range that its bridge has now; None if there is no bridge."""
        for link in self._ask("address", "show"):
            for entry in link.get("addr_info", ()) if link["ifname"] == self.bridge else ():
                range_ = IPv4Interface(f"{entry['local']}/{entry['prefixlen']}").network
                return replace(self, network=range_)
        return None

    def others(self) -> frozenset[IPv4Network]:
        """The ranges that this machine has routes to, without the default route.

        Raises MachineError.
        """
        routes = self._ask("route", "show", "table", "all")
        return frozenset(IPv4Network(route["dst"]) for route in routes if route["dst"] != "default")

    @property
    def _table(self) -> str:
        # `_` is in no lab's name, so this is no other lab's table
        return f"stackcook-{self.name}" + ("_external" if self.key == "external_network" else "")

    def _refuse_conflicts(self) -> None:
        owners = self._owners()
        if not self._may_use(owners):
            raise self._held(f"the bridge {self.bridge} already exists", owners[self.bridge])
        for name, range_ in self._elsewhere():
            # not known if another lab has made it since
            raise self._held(f"{name} has addresses of {range_}", owners.get(name, ""))
        for route in self._ask("route", "show", "table", "main"):
            dev = route.get("dev")
            if route["dst"] == "default" or dev is None or dev == self.bridge:
                continue
            if IPv4Network(route["dst"]).overlaps(self.network):
                raise self._held(f"{route['dst']} is routed to {dev}", owners.get(dev, ""))

    def _elsewhere(self) -> Iterator[tuple[str, IPv4Network]]:
        """Interfaces, other than the bridge, with an address of the range."""
        for link in self._ask("address", "show"):
            for entry in link.get("addr_info", ()):  # none if the interface is just being deleted
                range_ = IPv4Interface(f"{entry['local']}/{entry['prefixlen']}").network
                if link["ifname"] != self.bridge and range_.overlaps(self.network):
                    yield link["ifname"], range_

    def _held(self, how: str, owner: str) -> MachineError:
        manifest = shlex.quote(f"{owner}/infrastructure.yml")
        away = f"run `stackcook -f {manifest} destroy`, or " if owner else ""
        noun = self.key.replace("_", " ")
        return MachineError(
            f"the lab's {noun} is in use: {how}",
            where=str(self.network),
            remedy=f"{away}use another `name` and `{self.key}` in this manifest",
        )

    def _owners(self) -> Mapping[str, str]:
        """Every interface → the directory in its alias, ``""`` without one."""
        return {link["ifname"]: link.get("ifalias", "") for link in self._ask("link", "show")}

    def _may_use(self, owners: Mapping[str, str]) -> bool:
        """Whether this lab may use the bridge.

        There is none, it belongs to this lab, or its owner no longer exists.
        """
        owner = owners.get(self.bridge, str(self.owner))
        return owner in ("", str(self.owner)) or not may_exist(Path(owner))

    def _forward(self) -> None:
        """Forward the lab's packets, with this machine's address as the source."""
        if self.run(Command(("cat", "/proc/sys/net/ipv4/ip_forward"))).output.strip() != "1":
            self._do("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        table, bridge = self._table, self.bridge
        # The file is one transaction; `add` makes `delete` work without an old table. The route out
        # may have a smaller MTU than the bridge.
        self._nft(
            f"add table ip {table}\ndelete table ip {table}\n"
            f"table ip {table} {{\n"
            "  chain forward {\n"
            "    type filter hook forward priority filter; policy accept;\n"
            f'    oifname != "{bridge}" iifname "{bridge}" tcp flags syn tcp option maxseg size'
            " set rt mtu\n"
            f"{self._from_the_other()}"
            f'    iifname != "{bridge}" oifname "{bridge}" ct state new drop\n'
            "  }\n"
            "  chain postrouting {\n"
            "    type nat hook postrouting priority srcnat;\n"
            f'    ip saddr {self.network} oifname != "{bridge}" masquerade\n'
            "  }\n"
            "}\n"
        )

    def _from_the_other(self) -> str:
        """The rule that lets the lab's other network in.

        Instances reach what they need on nodes; nodes reach floating IPs: Tempest runs on one.
        """
        if self.key == "external_network":
            nodes = replace(self, key="network").bridge
            return f'    iifname "{nodes}" oifname "{self.bridge}" accept\n'
        instances = replace(self, key="external_network").bridge
        ports = ", ".join(map(str, INSTANCE_PORTS))
        return f'    iifname "{instances}" oifname "{self.bridge}" tcp dport {{ {ports} }} accept\n'

    def _nft(self, rules: str) -> None:
        self._do("nft", "-f", "-", stdin=rules)

    def _ip(self, *arguments: str) -> None:
        self._do("ip", *arguments)

    def _ask(self, *arguments: str) -> list[dict[str, Any]]:
        """The answer of ``ip``; asked again while other programs create and delete interfaces."""
        command = Command((str(find_program("ip")), "-json", "-4", *arguments), apart=True)
        return retry.call(lambda: self._answer(command), retry.QUESTION)

    def _answer(self, command: Command) -> list[dict[str, Any]]:
        done = self._checked(command)
        try:
            answer: list[dict[str, Any]] = json.loads(done.output or "[]")
        except ValueError as error:
            raise self._unreadable(command, done) from error
        if "interrupted" in done.errors:  # "Dump was interrupted and may be inconsistent."
            raise self._unreadable(command, done)
        return [entry for entry in answer if entry]

    def _unreadable(self, command: Command, done: Completed) -> MachineError:
        error = MachineError(
            f"cannot read the output of `{command}` ({done.quoted})",
            where=self.bridge,
            remedy="run this command to see if it works, then run stackcook again",
        )
        error.transient = True
        return error

    def _do(self, name: str, *arguments: str, stdin: str | None = None) -> None:
        self._checked(Command(as_root(name, *arguments), stdin=stdin))

    def _checked(self, command: Command) -> Completed:
        done = self.run(command)
        if done.status:
            raise MachineError(
                f"`{command}` failed ({done.quoted})",
                where=self.bridge,
                remedy="run stackcook as root, or set up passwordless sudo",
            )
        return done
