"""The manifest of a controller and compute nodes: parameters → sections. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from stackcook.addresses import IPAddress
from stackcook.errors import UsageError, counted
from stackcook.manifest.model import MachineKind
from stackcook.scaffold.emit import Section

NETWORK = IPv4Network("10.0.112.0/24")
ENVIRONMENT = "lab"
CONTROLLER = "single-controller"
HA_CONTROLLER = "ha-controller"
COMPUTE = "single-compute"
CEPH = "ceph"
OPTIONAL = ("object-storage-proxy", "object-storage", "orchestration", "block-storage", CEPH)
"""Roles of services that a new manifest lists; no node has one, but HA controllers have Ceph."""

_FIRST = 10  # first node address, if there is room: leaves some free before it
_SIZES: Mapping[str, Mapping[str, Any]] = {
    CONTROLLER: {"memory": 8192, "cpus": 2},
    HA_CONTROLLER: {"memory": 6144, "cpus": 2},
    COMPUTE: {"memory": 4096, "cpus": 2},
}


@dataclass(frozen=True)
class Lab:
    """The parameters of a new manifest.

    ``hosts`` are the addresses or names of existing hosts, the controller's first; without any,
    addresses are taken from ``network``. ``user`` and ``key`` are how SSH logs in there.
    Without ``external_network``, Vagrant's machines get the one after ``network``, unless
    ``no_external_network``. With ``zones``, each has its own controllers and compute nodes. Several
    ``controllers`` share an address; by default, it is the one before those of the nodes.
    """

    computes: int
    machines: MachineKind
    zones: int = 1
    controllers: int = 1
    name: str = "stackcook"
    network: IPv4Network | None = None
    external_network: IPv4Network | None = None
    external_interface: str | None = None
    no_external_network: bool = False
    hosts: tuple[IPAddress | str, ...] = ()
    user: str | None = None
    key: str | None = None
    virtual_addresses: tuple[IPAddress, ...] = ()

    @classmethod
    def of(
        cls,
        computes: int | None,
        machines: MachineKind | None,
        zones: int = 1,
        controllers: int = 1,
        **others: Any,
    ) -> Lab:
        """The lab for these options, ``None`` if not given; raises UsageError."""
        hosts = others.get("hosts")
        given = {name for name, value in others.items() if value not in (None, ())}
        about_hosts = [name for name in ("hosts", "user", "key") if name in given]
        computes_given = computes is not None
        if computes is None:
            computes = max(0, len(hosts) // zones - controllers) if hosts else 1
        if controllers % 2 == 0:
            what = f"{controllers} controllers have no quorum without {controllers // 2} of them"
            raise UsageError(what, where="--controllers", remedy="use 3")
        if others.get("external_network") and others.get("no_external_network"):
            raise UsageError("--external-network and --no-external-network cannot be combined")
        if machines is None:
            machines = MachineKind.SSH if about_hosts else MachineKind.VAGRANT
        if about_hosts and machines is MachineKind.VAGRANT:
            raise UsageError(
                f"--{about_hosts[0].removesuffix('s')} is only for existing hosts",
                remedy="omit it, or use --machines ssh",
            )
        if (
            "external_network" in given
            and machines is MachineKind.SSH
            and "external_interface" not in given
        ):
            raise UsageError(
                "--external-network needs the interface of the hosts on it",
                remedy="add --external-interface NAME, such as eth1",
            )
        lab = cls(computes, machines, zones, controllers, **others)
        shared = lab.virtual_addresses
        if (shared or hosts and controllers > 1) and len(shared) != zones * (controllers > 1):
            remedy = f"use it {zones} times: once for each zone" if zones > 1 else "use it once"
            if controllers == 1:
                remedy = "omit it, or add --controllers 3"
            what = f"the number of --virtual-address options is {len(shared)}"
            raise UsageError(f"{lab.described}: {what}", remedy=remedy)
        if hosts and len(hosts) != lab.size:
            remedy = (
                f"use it {lab.size} times, controllers first" if lab.size > 1 else "use it once"
            )
            remedy += ", or omit --computes" if computes_given else ""
            what = f"the number of --host options is {len(hosts)}"
            raise UsageError(f"{lab.described}: {what}", remedy=remedy)
        return lab

    @property
    def described(self) -> str:
        """``a controller and 3 compute nodes``."""
        computes = {0: "", 1: " and a compute node"}
        what = "a controller" if self.controllers == 1 else f"{self.controllers} controllers"
        what += computes.get(self.computes, f" and {self.computes} compute nodes")
        return f"{self.zones} zones, each with {what}" if self.zones > 1 else what

    @property
    def size(self) -> int:
        """The number of nodes."""
        return self.zones * (self.computes + self.controllers)

    @property
    def environments(self) -> Sequence[str]:
        """The environments of the nodes: ``lab``, or the names of the zones."""
        zones = [f"zone{number}" for number in range(1, self.zones + 1)]
        return zones if self.zones > 1 else [ENVIRONMENT]

    def nodes_of(self, environment: str) -> Mapping[str, str]:
        """Node → its role, of one environment."""
        before = f"{environment}-" if self.zones > 1 else ""
        computes = (f"{before}compute{number}" for number in range(1, self.computes + 1))
        controllers = [f"{before}controller{n}" for n in range(1, self.controllers + 1)]
        if self.controllers == 1:
            controllers = [f"{before}controller"]
        role = CONTROLLER if self.controllers == 1 else HA_CONTROLLER
        return {**dict.fromkeys(controllers, role), **dict.fromkeys(computes, COMPUTE)}

    @property
    def nodes(self) -> Mapping[str, str]:
        """Node → its role."""
        every = (self.nodes_of(environment) for environment in self.environments)
        return {node: role for nodes in every for node, role in nodes.items()}

    @property
    def addresses(self) -> Sequence[IPAddress | str]:
        """One for each node. Raises UsageError if the network is too small."""
        return self.hosts or self._addresses[-self.size :]

    @property
    def shared_addresses(self) -> Sequence[IPAddress]:
        """The address that the controllers of each environment share; none with one controller."""
        return self.virtual_addresses or self._addresses[: -self.size]

    @property
    def _addresses(self) -> Sequence[IPv4Address]:
        """Addresses in the network: those that controllers share, then those of the nodes."""
        shared = 0 if self.controllers == 1 or self.virtual_addresses else self.zones
        return _counted(self.network or NETWORK, self.size, shared)


def head(lab: Lab) -> tuple[str, ...]:
    """The comment that the manifest begins with."""
    return (
        f"A cloud: {lab.described}.",
        "`stackcook check` reports problems in this file; `stackcook deploy` deploys the cloud.",
    )


def sections(lab: Lab, cookbooks: Iterable[str]) -> tuple[Section, ...]:
    """The manifest of ``lab``; raises UsageError where addresses run out."""
    settings = _settings(lab)
    return (
        Section(
            "cookbooks",
            [{name: None} for name in cookbooks],
            ("Uploaded to the Chef server: cookbooks/NAME, environments/NAME, roles/NAME.",),
        ),
        Section("environments", [{environment: None} for environment in lab.environments]),
        Section(
            "roles",
            [{role: None} for role in (CONTROLLER, HA_CONTROLLER, COMPUTE, *OPTIONAL)],
            (f"To add a service to the cloud, add its role to a node: {', '.join(OPTIONAL)}.",),
        ),
        *_nodes(lab),
        Section("stackcook", settings, (_how(lab), _stages(lab))),
    )


def _nodes(lab: Lab) -> Iterator[Section]:
    entries = {
        environment: [
            {node: {"run_list": _run_list(role)}}
            for node, role in lab.nodes_of(environment).items()
        ]
        for environment in lab.environments
    }
    add = f"To add a compute node, add it here with role[{COMPUTE}], and its address below."
    if lab.controllers > 1:
        add += f" role[{CEPH}] keeps images on all controllers."
    if lab.zones > 1:
        zones = "Each cluster is a zone: a cloud of its own, with an environment of its name."
        yield Section("clusters", [{zone: nodes} for zone, nodes in entries.items()], (zones, add))
        return
    about = "knife bootstrap options for all nodes: -E is the environment."
    yield Section("options", f"-E {ENVIRONMENT}", (about,))
    yield Section("nodes", entries[ENVIRONMENT], (add,))


def _run_list(role: str) -> str:
    return f"role[{CEPH}],role[{role}]" if role == HA_CONTROLLER else f"role[{role}]"


def _counted(network: IPv4Network, nodes: int, more: int) -> Sequence[IPv4Address]:
    """``more`` host addresses, then those of nodes; the first one is left to the bridge."""
    count = nodes + more
    room = max(network.num_addresses - 3, 0)  # without the network's own and the broadcast's
    if count > room:
        lengths = range(network.prefixlen - 1, 7, -1)
        wider = (network.supernet(new_prefix=length) for length in lengths)
        fitting = next((wide for wide in wider if wide.num_addresses - 3 >= count), None)
        has = f"addresses for {counted(max(0, room - more), 'node')}"
        raise UsageError(
            f"the network {network} has {has}, but {nodes} are needed",
            remedy=f"use a larger one, for example --network {fitting}"
            if fitting
            else "use fewer nodes",
        )
    fits = _FIRST + nodes < network.num_addresses and more <= _FIRST - 2
    first = _FIRST - more if fits else 2
    return [network.network_address + number for number in range(first, first + count)]


def external_for(network: IPv4Network) -> IPv4Network:
    """The /24 after ``network``; if that is not private, one that does not overlap it."""
    after = (int(network.broadcast_address) | 255) + 1
    following = [IPv4Network((after, 24))] if after < 1 << 32 else []
    others = (IPv4Network("10.0.113.0/24"), IPv4Network("172.16.113.0/24"))
    suitable = (n for n in (*following, *others) if n.is_private and not n.overlaps(network))
    return next(suitable, others[0])  # none is beside 0.0.0.0/0, which is refused


def _settings(lab: Lab) -> Mapping[str, Any]:
    vagrant = lab.machines is MachineKind.VAGRANT
    network = lab.network or (NETWORK if vagrant else None)
    external, interface = lab.external_network, lab.external_interface
    if vagrant and network and not external and not lab.no_external_network:
        external = external_for(network)
    login = {name: it for name, it in (("user", lab.user), ("key", lab.key)) if it is not None}
    addresses = map(str, lab.addresses)
    nodes = {
        node: {"address": next(addresses), **(_SIZES[role] if vagrant else login)}
        for node, role in lab.nodes.items()
    }
    shared = dict(zip(lab.environments, map(str, lab.shared_addresses)))
    return {
        "name": lab.name,
        "machines": lab.machines.value,
        **({"network": str(network)} if network else {}),
        **({"external_network": str(external)} if external else {}),
        **({"external_interface": interface} if interface is not None else {}),
        **({"virtual_address": shared if lab.zones > 1 else shared[ENVIRONMENT]} if shared else {}),
        "nodes": nodes,
        "stages": list(dict.fromkeys(lab.nodes.values())),
    }


def _how(lab: Lab) -> str:
    if lab.machines is MachineKind.VAGRANT:
        floating = "" if lab.no_external_network else " Floating IPs are in external_network."
        return f"Vagrant creates the machines in their own network; memory is in MiB.{floating}"
    if lab.hosts:
        return "Existing hosts, with these addresses."
    return "Existing hosts: REPLACE THESE EXAMPLE ADDRESSES with yours."


def _stages(lab: Lab) -> str:
    """The comment about ``stages``."""
    if lab.controllers > 1:
        return (
            "The controllers share virtual_address: one of them has it at a time. They converge one"
            " after the other, then the compute nodes in parallel."
        )
    if lab.computes:
        return "Stages converge one after the other; the nodes of a stage in parallel."
    return f"Stages converge one after the other. For compute nodes, add {COMPUTE} here."
