"""What the host of a node must have: one table by recipe, and what the manifest adds to it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stackcook.bootstrap.options import options_of
from stackcook.chef.objects.runlist import recipes_of, run_list_for
from stackcook.chef.repository.packages import Packages
from stackcook.chef.repository.repository import Repository
from stackcook.errors import NodeError
from stackcook.manifest.model import (
    EXTERNAL_ATTRIBUTES,
    Interface,
    MachineKind,
    Manifest,
    Node,
)

TUNNEL = 6081
"""The UDP port of Geneve."""


@dataclass(frozen=True)
class Need:
    """What a recipe needs: MiB of free disk and of memory, and TCP ports by service.

    ``computes``: it runs instances. ``tunnels``: it sends packets to other nodes through Geneve.
    """

    disk: int = 0
    memory: int = 0
    ports: Mapping[str, int] = field(default_factory=dict)
    computes: bool = False
    tunnels: bool = False


NEEDS: Mapping[str, Need] = {
    # A whole controller took 2.9 GiB of disk, a compute node 1.9 GiB, and logs and images come on
    # top. The recipe of Nova stands for all of its node.
    "openstack-compute::controller": Need(
        4096, 3072, {"compute": 8774, "metadata": 8775, "novnc": 6080}
    ),
    "openstack-compute::compute": Need(3072, 1024, computes=True),
    "openstack-network::compute": Need(tunnels=True),
    "openstack-network::controller": Need(ports={"network": 9696, "ovn_nb": 6641, "ovn_sb": 6642}),
    "openstack-database::controller": Need(ports={"db": 3306}),
    "openstack-messaging::controller": Need(ports={"mq": 5672}),
    "openstack-memcached::controller": Need(ports={"memcached": 11211}),
    "openstack-identity::controller": Need(ports={"identity": 5000}),
    "openstack-image::controller": Need(ports={"image": 9292}),
    "openstack-placement::controller": Need(ports={"placement": 8778}),
    "openstack-dashboard::controller": Need(ports={"dashboard": 80}),
    # docs/services.md has the measured memory
    "openstack-block-storage::controller": Need(memory=700, ports={"block_storage": 8776}),
    "openstack-orchestration::controller": Need(memory=300, ports={"orchestration": 8004}),
    "openstack-object-storage::proxy": Need(memory=200, ports={"object_storage": 8080}),
    "openstack-object-storage::storage": Need(
        memory=750, ports={"object": 6200, "container": 6201, "account": 6202, "rsync": 873}
    ),
    "openstack-ceph::cluster": Need(memory=400, ports={"ceph": 3300}),
}
"""Each recipe that needs more than any node; a node needs the sum. Roles are made of them."""

TLS_PORTS: Mapping[str, int] = {
    "identity": 13000,
    "image": 13292,
    "placement": 13778,
    "compute": 13774,
    "novnc": 13080,
    "network": 13696,
    "dashboard": 443,
    "block_storage": 13776,
    "object_storage": 13808,
    "orchestration": 13004,
}
"""The ports of public endpoints, if the cloud has TLS."""


@dataclass(frozen=True)
class Device:
    """A disk by its ``path``, and what it is ``used`` for.

    It must be empty, or have the file system ``keeps``, or belong to the volume group ``group``.
    """

    path: str
    used: str
    keeps: str = ""
    group: str = ""


@dataclass(frozen=True)
class Wanted:
    """What the host of one node must have; the defaults suit any node.

    ``platforms`` has the releases that each cookbook supports: platform → constraint. ``interface``
    is that of the external network. ``mtu`` is the size of the packets between nodes in bytes.
    ``interfaces`` are those that stackcook sets up, ``ssh`` is the address that SSH connects to.
    ``lab``: stackcook has made the machine, for this cloud only. ``releases`` are those for which
    the bundle has its packages, None without a bundle; ``bundle`` is the MiB that these take.
    ``devices`` are the disks that its storage uses, ``packages`` those that its recipes install.
    """

    need: Need = Need()
    platforms: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    address: str = ""
    interface: str = ""
    mtu: int = 1500
    lab: bool = False
    releases: frozenset[str] | None = None
    bundle: int = 0
    devices: tuple[Device, ...] = ()
    packages: frozenset[str] = frozenset()
    interfaces: tuple[Interface, ...] = ()
    ssh: str = ""

    @property
    def controls(self) -> bool:
        """Whether the node is a controller: it has Neutron's API."""
        return "network" in self.need.ports


def basic(manifest: Manifest, node: Node) -> Wanted:
    """What is known of the host of ``node`` without the Chef repository."""
    lab = manifest.machines is MachineKind.VAGRANT or bool(node.provider)
    return Wanted(
        address="" if node.provider else str(node.address or ""),
        lab=lab,
        interfaces=node.interfaces,
        ssh=str(node.ssh_place),
    )


def wanted(manifest: Manifest, repository: Repository, node: Node) -> Wanted:
    """What the manifest and the Chef repository want of the host of ``node``. Pure.

    Raises NodeError if a file of the node's attributes can't be read, or if a port is no number.
    """
    recipes = set(recipes_of(node.run_list, node.environment, repository.roles))
    need = _sum(NEEDS[recipe] for recipe in recipes if recipe in NEEDS)
    levels = tuple(_attributes(manifest, repository, node))
    endpoints = "openstack.endpoints"

    def number(path: str, default: int) -> int:
        value = _dig(levels, path) or default
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            what = f"the attribute {path} is {json.dumps(value)}, which is not a number"
            remedy = "correct it in the node's environment, roles or options"
            raise NodeError(what, where=node.name, remedy=remedy) from error

    ports = {
        service: number(f"{endpoints}.internal.{service}.port", port)
        for service, port in need.ports.items()
    }
    for service, port in TLS_PORTS.items() if manifest.tls else ():
        if service in need.ports:
            ports[f"{service} over TLS"] = number(f"{endpoints}.public.{service}.port", port)
    used = {recipe.split("::")[0] for recipe in recipes}
    packages = repository.packages([node]).get(node.name, Packages())
    return replace(
        basic(manifest, node),
        need=replace(need, ports=ports),
        platforms={
            cookbook.name: cookbook.metadata["platforms"]
            for cookbook in repository.cookbooks
            if cookbook.name in used and cookbook.metadata.get("platforms")
        },
        interface=str(_dig(levels, EXTERNAL_ATTRIBUTES[0]) or "") if need.tunnels else "",
        mtu=number("openstack.network.conf.DEFAULT.global_physnet_mtu", 1500),
        devices=tuple(_devices(recipes, levels)),
        packages=frozenset((*packages.openstack, *packages.chef)),
    )


def _devices(recipes: Collection[str], levels: Sequence[Mapping[str, Any]]) -> Iterator[Device]:
    """The disks of Cinder and Swift, by the attributes."""
    if "openstack-block-storage::volume" in recipes:
        lvm = "openstack.block_storage.lvm"
        group = str(_dig(levels, f"{lvm}.volume_group") or "cinder-volumes")
        for path in _dig(levels, f"{lvm}.devices") or ():
            yield Device(str(path), "Cinder", group=group)
    if "openstack-object-storage::storage" in recipes:
        swift = "openstack.object_storage.devices"
        names = {name for level in levels for name in _dig([level], swift) or ()}
        for name in sorted(names):
            if path := _dig(levels, f"{swift}.{name}.device"):
                yield Device(str(path), "Swift", keeps="xfs")


def _sum(needs: Iterable[Need]) -> Need:
    every = tuple(needs)
    return Need(
        sum(need.disk for need in every),
        sum(need.memory for need in every),
        {service: port for need in every for service, port in need.ports.items()},
        any(need.computes for need in every),
        any(need.tunnels for need in every),
    )


def _attributes(
    manifest: Manifest, repository: Repository, node: Node
) -> Iterator[Mapping[str, Any]]:
    """The attributes that a node gets from files, those that win first, as in Chef."""
    environment = repository.environments.get(node.environment, {})
    roles = tuple(_roles(node, repository))
    for level in ("override_attributes", "default_attributes"):
        if level == "default_attributes":
            yield options_of(node, manifest.root).attributes(node.name)
            yield {
                "openstack": {"network": {"provider": {"interface": manifest.external_interface}}}
            }
        yield from (found.get(level, {}) for found in (environment, *roles))


def _roles(node: Node, repository: Repository) -> Iterator[Mapping[str, Any]]:
    """The roles of a run list, and those in their run lists."""
    left, seen = list(node.roles), set()
    while left:
        name = left.pop(0)
        if name not in seen:
            seen.add(name)
            role = repository.roles.get(name, {})
            yield role
            items = run_list_for(role, node.environment)
            left += (item.name for item in items if item.kind == "role")


def _dig(levels: Iterable[Mapping[str, Any]], path: str) -> Any:
    """The first value of an attribute; None without one."""
    for level in levels:
        value: Any = level
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            return value
    return None
