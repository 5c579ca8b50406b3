"""The manifest as frozen values: the content of ``infrastructure.yml``, parsed and checked.

The sections ``cookbooks`` to ``nodes`` have spiceweasel's shape; the section ``stackcook`` holds
the rest. Addresses are :mod:`ipaddress` values, memory is in MiB, paths are absolute.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface
from pathlib import Path

from stackcook.addresses import IPAddress
from stackcook.errors import Position
from stackcook.manifest.knifeoptions import KnifeOptions, parse

DEFAULT_PASSWORDS: Mapping[str, tuple[str, ...]] = {
    "db_passwords": ("keystone", "glance", "placement", "nova", "neutron", "heat", "cinder"),
    "service_passwords": (
        "glance",
        "placement",
        "nova",
        "neutron",
        "swift",
        "heat",
        "heat_domain_admin",
        "cinder",
    ),
    "user_passwords": ("admin", "openstack", "demo"),
    "secrets": (
        "metadata_proxy",
        "horizon",
        "swift_hash_path_prefix",
        "swift_hash_path_suffix",
        "heat_encryption",
        "rabbitmq_cookie",
        "ucarp",
    ),
    "ceph_keys": ("admin", "mon", "cinder", "glance"),
}
"""Data bags and their items that ``deploy`` fills with generated passwords."""

NETWORK_COOKBOOK = "openstack-network"
HOST_NETWORK_COOKBOOK = "openstack-host-network"
EXTERNAL_ATTRIBUTES = (
    "openstack.network.provider.interface",
    "openstack.network.external.cidr",
)
"""The attributes that give a cloud its external network."""


@dataclass(frozen=True)
class CookbookEntry:
    """A cookbook to upload; ``options`` are those of knife, as written."""

    name: str
    at: Position
    version: str | None = None
    options: str = ""


@dataclass(frozen=True)
class Berksfile:
    """A Berksfile whose cookbooks are uploaded too; ``options`` are berks's, as written.

    ``text`` is its path as written; empty where only the section is there.
    """

    path: Path
    at: Position
    options: str = ""
    text: str = ""


@dataclass(frozen=True)
class Policy:
    """A Policyfile's lock and the policy group whose nodes get it."""

    lock: Path
    group: str
    at: Position


@dataclass(frozen=True)
class Pattern:
    """A role's, an environment's or an item's name, ``sub/name``, or a glob such as ``b*``."""

    text: str
    at: Position


@dataclass(frozen=True)
class DataBag:
    """A data bag, its items, and the file whose secret encrypts them.

    ``secret_text`` is that file as written.
    """

    name: str
    at: Position
    items: tuple[Pattern, ...] = ()
    secret: Path | None = None
    secret_text: str = ""


class InterfaceKind(Enum):
    """The kinds of network interfaces, by their sections in ``interfaces``."""

    ETHERNET = "ethernets"
    BOND = "bonds"
    VLAN = "vlans"
    BRIDGE = "bridges"


@dataclass(frozen=True)
class Match:
    """Which network card is meant: the only one, or the one at place ``order``, that has all this.

    ``name`` is a glob for its name on the host, ``speed`` is in Mbit/s. ``order`` counts from 1, by
    PCI address.
    """

    name: str = ""
    macaddress: str = ""
    speed: int | None = None
    order: int | None = None


@dataclass(frozen=True)
class Route:
    """A route to the network ``to``, or to ``default``."""

    to: str
    via: IPAddress
    metric: int | None = None


@dataclass(frozen=True)
class Interface:
    """A network interface of a host, as it should be; fields that its kind lacks are empty.

    ``interfaces`` are the members of a bond or a bridge; a VLAN has the tag ``id`` on ``link``.
    ``mtu`` is in bytes.
    """

    name: str
    kind: InterfaceKind
    match: Match | None = None
    interfaces: tuple[str, ...] = ()
    mode: str | None = None
    lacp_rate: str | None = None
    transmit_hash_policy: str | None = None
    id: int | None = None
    link: str | None = None
    mtu: int | None = None
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    gateway: IPAddress | None = None
    routes: tuple[Route, ...] = ()
    dhcp4: bool = False

    @property
    def below(self) -> tuple[str, ...]:
        """The interfaces that it is made of."""
        return (*self.interfaces, *([self.link] if self.link else ()))


@dataclass(frozen=True)
class Node:
    """A machine, by its name on the Chef server; ``at`` is where the manifest gives its run list.

    ``run_list`` holds entries such as ``role[single-controller]``. ``user``, ``key`` and ``port``
    are for SSH to an existing host; ``None`` leaves them to OpenSSH's configuration, or to what
    makes the machine. ``host_key`` is the fingerprint of its SSH host key, ``SHA256:…``. ``host``
    is the host's name where there is no address. ``ssh_address`` is where SSH reaches the host if
    that is neither, as behind NAT: an address or a name. ``options`` are all options of knife that
    hold for this node; ``environment_at`` is the position of those that set the environment.
    ``provider`` is set where a knife plugin makes the machine (``ec2``), and for
    Windows hosts (``windows_ssh``, ``windows_winrm``). ``timeout`` is how many seconds its
    bootstrap, or a converge, may take. ``interfaces`` are those that stackcook sets up, each after
    those that it is made of.
    """

    name: str
    at: Position
    run_list: tuple[str, ...] = ()
    environment: str = "_default"
    address: IPAddress | None = None
    memory: int = 4096
    cpus: int = 2
    user: str | None = None
    key: Path | None = None
    port: int | None = None
    host_key: str = ""
    host: str = ""
    ssh_address: IPAddress | str | None = None
    options: KnifeOptions = KnifeOptions()
    provider: str | None = None
    policy_name: str | None = None
    policy_group: str | None = None
    timeout: int | None = None
    interfaces: tuple[Interface, ...] = ()
    environment_at: Position | None = field(default=None, compare=False)

    @property
    def ssh_place(self) -> IPAddress | str:
        """The address or name to which SSH connects; empty if the manifest gives none."""
        return self.ssh_address or self.address or self.host

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the run list names itself, in order."""
        return roles_in(self.run_list)


def roles_in(run_list: Iterable[str]) -> tuple[str, ...]:
    """The roles that a run list names itself, in order."""
    return tuple(
        entry[len("role[") : -1]
        for entry in run_list
        if entry.startswith("role[") and entry.endswith("]")
    )


@dataclass(frozen=True)
class Group:
    """An entry of ``nodes`` or ``clusters``, or a host of an inventory, as knife commands need it.

    ``hosts`` are the names in its key. With a ``provider`` (``ec2``, ``windows_ssh``, …) these are
    the words after it, and ``count`` is how many machines a cloud is to make. ``run_list`` has the
    entries as written, ``options`` are only the entry's own. ``numbers`` are those of the hosts
    where they are not 1, 2, …: of a range without the nodes that have an entry of their own.
    """

    at: Position
    hosts: tuple[str, ...] = ()
    provider: str | None = None
    count: int = 0
    run_list: tuple[str, ...] = ()
    options: KnifeOptions = KnifeOptions()
    cluster: str | None = None
    name: str | None = None
    timeout: int | None = None
    additional_commands: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()

    @property
    def numbered_hosts(self) -> tuple[tuple[int, str], ...]:
        """Each host with its number in the entry."""
        return tuple(zip(self.numbers or itertools.count(1), self.hosts))

    @property
    def cluster_options(self) -> KnifeOptions:
        """The option that a cluster stands for: its name is its nodes' environment."""
        if not self.cluster or self.options.one("environment"):
            return KnifeOptions()
        return parse(f"-E {shlex.quote(self.cluster)}")

    def all_options(self, common: KnifeOptions) -> KnifeOptions:
        """The options of its nodes: its own, over the cluster's, over ``common`` ones."""
        return self.options.over(self.cluster_options).over(common)


@dataclass(frozen=True)
class Inventory:
    """A hosts file, or a command that prints one, and the nodes that it lists.

    ``read`` is false if it could not be read, or if its command was not run.
    """

    source: str
    nodes: tuple[str, ...] = ()
    read: bool = True


@dataclass(frozen=True)
class KnifeCommand:
    """A command of the section ``knife``: run once for each of ``arguments``; without any, once."""

    name: str
    at: Position
    arguments: tuple[str, ...] = ()


class MachineKind(Enum):
    """Where machines come from: Vagrant creates them, or they exist and SSH reaches them."""

    VAGRANT = "vagrant"
    SSH = "ssh"


@dataclass(frozen=True)
class Stage:
    """Nodes that converge together: those with one of ``roles``, or the rest if it is empty.

    If the manifest has zones, there is one for each: ``ZONE/STAGE``.
    """

    name: str
    roles: tuple[str, ...]
    zone: str = ""


@dataclass(frozen=True)
class Amount:
    """So many nodes, or so many percent of some."""

    number: int
    percent: bool = False

    PATTERN = re.compile(r"(\d{1,6})( *%)?", re.ASCII)

    @classmethod
    def parse(cls, text: str) -> Amount:
        """``5`` or ``10%``; raises ValueError if it is neither, or more than 100%."""
        match = cls.PATTERN.fullmatch(text)
        if not match or (match[2] and int(match[1]) > 100):
            raise ValueError(text)
        return cls(int(match[1]), bool(match[2]))

    def of(self, nodes: int) -> int:
        """How many of so many nodes; a percentage is rounded down."""
        return nodes * self.number // 100 if self.percent else self.number


@dataclass(frozen=True)
class FailureBudget:
    """How many nodes with ``role`` in their run list may fail."""

    role: str
    amount: Amount
    at: Position


class BootstrapKind(Enum):
    """What bootstraps new nodes: stackcook itself over SSH, or ``knife bootstrap``."""

    NATIVE = "native"
    KNIFE = "knife"


class Verification(Enum):
    """A part of what is verified: the services, which always are, and an instance on each node."""

    SERVICES = "services"
    INSTANCE = "instance"


@dataclass(frozen=True)
class ChefServer:
    """A Chef server of the user's: its URL, the user's name there, and that user's key.

    Its certificate may be signed by one of ``ca_file``, or be among the files of ``trusted_certs``,
    as ``knife ssl fetch`` puts them there. ``proxies`` are knife's settings for proxies, by name.
    """

    url: str
    user: str
    key: Path
    ca_file: Path | None = None
    trusted_certs: Path | None = None
    verify: bool = True
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)


@dataclass(frozen=True)
class ClientPackage:
    """The user's own Debian package of the Chef client: a file here, or a URL for the nodes.

    ``sha256`` is its checksum in hexadecimal digits; only for a file it may be empty. ``ca_file``
    has certificate authorities for all downloads of the installation, also without a package.
    """

    path: Path | None = None
    url: str = ""
    sha256: str = ""
    ca_file: Path | None = None

    def __bool__(self) -> bool:
        """Whether there is a package."""
        return bool(self.path or self.url)


@dataclass(frozen=True)
class Timer:
    """A systemd timer on the nodes: chef-client runs every ``interval`` seconds.

    To each wait, a random time of at most ``splay`` seconds is added.
    """

    interval: int
    at: Position
    splay: int = 300


@dataclass(frozen=True)
class Tls:
    """Public endpoints and Horizon are reached over TLS; if ``internal``, all else as well.

    The public certificate of each node is signed by a CA of stackcook's own, or ``certificate``
    with its ``key`` is the user's; ``ca`` has the CAs that clients need for that, None: the system
    has it. Internal certificates are always signed by stackcook's CA.
    """

    at: Position
    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    internal: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """The user's files."""
        return tuple(file for file in (self.certificate, self.key, self.ca) if file)


@dataclass(frozen=True)
class VirtualAddress:
    """The address that one of the controllers of a cloud has at a time; the cloud of a ``zone``."""

    address: IPAddress
    at: Position
    zone: str = ""


@dataclass(frozen=True)
class Place:
    """What tells clouds of the lab apart that are otherwise the same: the name and the networks."""

    name: str
    network: IPv4Network
    external_network: IPv4Network | None = None


@dataclass(frozen=True)
class Manifest:
    """One ``infrastructure.yml``.

    That of one zone has the zone's ``region``, and in ``region_of`` the name in clouds.yaml of the
    cloud whose regions are the zones.
    """

    path: Path
    name: str
    berksfile: Berksfile | None = None
    cookbooks: tuple[CookbookEntry, ...] = ()
    environments: tuple[Pattern, ...] = ()
    roles: tuple[Pattern, ...] = ()
    data_bags: tuple[DataBag, ...] = ()
    nodes: tuple[Node, ...] = ()
    groups: tuple[Group, ...] = ()
    options: KnifeOptions = KnifeOptions()
    inventory: Inventory | None = None
    knife: tuple[KnifeCommand, ...] = ()
    policy: Policy | None = None
    machines: MachineKind = MachineKind.VAGRANT
    provider: str | None = None
    network: IPv4Network | None = None
    external_network: IPv4Network | None = None
    external_interface: str | None = None
    stages: tuple[Stage, ...] = ()
    failure_budget: tuple[FailureBudget, ...] = ()
    bootstrap: BootstrapKind = BootstrapKind.NATIVE
    chef_server: ChefServer | None = None
    client: ClientPackage | None = None
    timer: Timer | None = None
    server_address: IPAddress | None = None
    server_port: int | None = None
    passwords: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: DEFAULT_PASSWORDS)
    verify: frozenset[Verification] | None = None
    firewall: bool = True
    os_cloud: str = "stackcook"
    region: str = "RegionOne"
    region_of: str = ""
    snapshots_of: Place | None = None
    tls: Tls | None = None
    virtual_addresses: tuple[VirtualAddress, ...] = ()

    @property
    def virtual_address(self) -> IPAddress | None:
        """The address that the controllers share; None with one controller, or with zones."""
        mine = self.virtual_addresses if not self.zones else ()
        return mine[0].address if mine else None

    @property
    def cacert(self) -> Path | None:
        """The CA certificate that clients of the cloud need; None: they need none of their own."""
        if self.tls is None:
            return None
        if self.tls.certificate:
            return self.tls.ca
        return self.internal_ca

    @property
    def internal_ca(self) -> Path:
        """The certificate of stackcook's own CA, which exists if something is signed by it."""
        return self.state / "tls" / "ca.crt"

    @property
    def verify_instance(self) -> bool | None:
        """Whether a verification boots instances; None if that depends on what the cloud has."""
        return None if self.verify is None else Verification.INSTANCE in self.verify

    @property
    def root(self) -> Path:
        """The Chef repository: the manifest's directory."""
        return self.path.parent

    @property
    def state(self) -> Path:
        """The directory with stackcook's state of this deployment, ``.stackcook``; mode 0700."""
        return self.root / ".stackcook"

    @property
    def cloud_state(self) -> Path:
        """Where that of one cloud is: :attr:`state`, or a zone's own directory below it."""
        return self.state / "zones" / self.region if self.region_of else self.state

    @property
    def no_external_network(self) -> str:
        """What it means that the manifest has no ``external_network``, and what to do.

        Empty if it has one, or no cookbook for OpenStack's network. Roles and environments may have
        one in their attributes, which the manifest doesn't tell.
        """
        deploys = any(cookbook.name == NETWORK_COOKBOOK for cookbook in self.cookbooks)
        if self.external_network or not deploys:
            return ""
        remedy = "set `external_network` in `stackcook:`"
        return f"no external network: instances cannot be reached from outside; {remedy}"

    def node(self, name: str) -> Node | None:
        """The node of that name."""
        return next((node for node in self.nodes if node.name == name), None)

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """The failure domains, each a cloud of its own; empty if there are not at least two.

        These are the clusters with a controller: a node with a role of the first stage.
        """
        first = set(self.stages[0].roles) if self.stages else set()
        controlled = {node.environment for node in self.nodes if first.intersection(node.roles)}
        clusters = dict.fromkeys(group.cluster for group in self.groups if group.cluster)
        found = tuple(cluster for cluster in clusters if cluster in controlled)
        return found if len(found) > 1 else ()

    def zone_of(self, node: Node) -> str:
        """The zone of a node; empty if there are no zones."""
        return node.environment if node.environment in self.zones else ""

    def share(self, zone: str) -> tuple[int, int]:
        """The number of a zone, from 0, and how many there are; (0, 1) without zones."""
        return (self.zones.index(zone), len(self.zones)) if zone in self.zones else (0, 1)

    def zone(self, name: str) -> Manifest:
        """The manifest of one zone alone: its nodes, its region and its name in clouds.yaml.

        Without a name, or if no zone has it, the whole manifest.
        """
        if name not in self.zones:
            return self
        nodes = tuple(node for node in self.nodes if self.zone_of(node) == name)
        virtual = tuple(each for each in self.virtual_addresses if each.zone == name)
        return replace(
            self,
            nodes=nodes,
            os_cloud=f"{self.os_cloud}-{name}",
            region=name,
            region_of=self.os_cloud,
            virtual_addresses=virtual,
        )

    def staged(self) -> tuple[tuple[Stage, tuple[Node, ...]], ...]:
        """The stages in order, each with its nodes; every node is in exactly one.

        Nodes that no stage names come last, in a stage of their own: ``rest``, or ``all``. If a
        role is called ``rest``, theirs is ``the rest``: no two stages have the same name.
        Zones have stages of their own, one zone after the other.
        """
        return tuple(
            (replace(stage, name=f"{zone}/{stage.name}", zone=zone) if zone else stage, nodes)
            for zone in self.zones or ("",)
            for stage, nodes in self.zone(zone)._staged()
        )

    def _staged(self) -> tuple[tuple[Stage, tuple[Node, ...]], ...]:
        taken = any(stage.name == "rest" for stage in self.stages)
        last = Stage("the rest" if taken else "rest" if self.stages else "all", ())
        left = list(self.nodes)
        result = []
        for stage in (*self.stages, last):
            wanted = set(stage.roles)
            mine: list[Node] = []
            others: list[Node] = []
            for node in left:
                here = not wanted or not wanted.isdisjoint(node.roles)
                (mine if here else others).append(node)
            left = others
            if mine:
                result.append((stage, tuple(mine)))
        return tuple(result)
