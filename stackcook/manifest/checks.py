"""Checks that the sections of a manifest are consistent: addresses and network, keys, roles."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv4Network

from stackcook.addresses import IPAddress
from stackcook.errors import Position
from stackcook.manifest.fields import LOGIN, FieldReader, suggest
from stackcook.manifest.model import (
    HOST_NETWORK_COOKBOOK,
    BootstrapKind,
    CookbookEntry,
    MachineKind,
    Manifest,
    Node,
    roles_in,
)
from stackcook.manifest.nodesettings import warn_without_effect
from stackcook.manifest.settings import Settings
from stackcook.remote.base import DEFAULT_KEYS

LEAST_EXTERNAL = 8
"""Addresses of the smallest external network: a /29."""

_PRIVATE = "use a private network, such as {}"


def check(reader: FieldReader, settings: Settings, nodes: Collection[Node]) -> None:
    """Add findings where section ``stackcook`` and the nodes are inconsistent."""
    if settings.machines is MachineKind.SSH:
        _check_keys(reader, settings, nodes)
        for name, given in settings.nodes.items():
            warn_without_effect(reader, given, f"stackcook: nodes: {name}", hosts=True)
        if settings.provider:
            what = "stackcook: provider has no effect for hosts that exist already"
            remedy = "remove it, or add `network: 10.0.112.0/24` for machines that Vagrant creates"
            reader.warning(settings.at, what, remedy)
    elif settings.inventory:
        what = "stackcook: inventory is only for hosts that exist already"
        remedy = "remove it, or write `machines: ssh`"
        reader.error(settings.inventory.at, what, remedy)
    roles = {role for node in nodes for role in node.roles}
    if settings.inventory:  # also of groups that are empty, or not known
        roles |= {role for _, listed in settings.inventory.groups for role in roles_in(listed)}
    for role in (role for stage in settings.stages for role in stage):
        if role.text not in roles:
            what = f'stackcook: stages: no run list has the role "{role.text}"'
            reader.warning(role.at, what, suggest(role.text, roles))
    for budget in settings.failure_budget:
        if budget.role not in roles:
            what = f'stackcook: failure_budget: no run list has the role "{budget.role}"'
            reader.warning(budget.at, what, suggest(budget.role, roles))
    _check_defaults(reader, settings, roles)
    _check_addresses(reader, settings, nodes)
    _check_external(reader, settings)
    _check_tls(reader, settings, nodes)


def check_zones(reader: FieldReader, manifest: Manifest) -> None:
    """Add a finding for each node outside the zones: no zone's failure domain has it."""
    zones = ", ".join(manifest.zones)
    for node in manifest.nodes if zones else ():
        if not manifest.zone_of(node):
            what = f"node {node.name}: it is in none of the zones {zones}"
            remedy = "move it to one of these `clusters`; each has a cloud of its own"
            reader.error(node.at, what, remedy)


def check_virtual_addresses(reader: FieldReader, manifest: Manifest) -> None:
    """Add findings for virtual addresses that a cloud cannot have, or that belong to no zone."""
    users = {node.address: f"node {node.name}" for node in manifest.nodes if node.address}
    if manifest.server_address:
        users[manifest.server_address] = "the Chef server"
    clusters = {group.cluster for group in manifest.groups}
    first = set(manifest.stages[0].roles) if manifest.stages else set()
    controlled = any(first.intersection(node.roles) for node in manifest.nodes)
    for each in manifest.virtual_addresses:
        address, zones = each.address, manifest.zones
        what = f"stackcook: virtual_address: {address}"
        if zones and each.zone not in zones:
            wrong = f"for which zone? The manifest has {', '.join(zones)}"
            remedy = f"write one for each zone: `virtual_address: {{{zones[0]}: {address}}}`"
            reader.error(each.at, f"{what}: {wrong}", remedy)
        elif each.zone in clusters and not controlled:
            wrong = f"no run list has a role of the first stage, so {each.zone} is no zone"
            remedy = "correct `stages`: the role of the controllers comes first"
            reader.error(each.at, f"{what}: {wrong}", remedy)
        elif each.zone and not zones:
            wrong = f"{what}: the manifest has no zone {each.zone}"
            reader.error(each.at, wrong, f"write `virtual_address: {address}`")
        elif address in users:
            remedy = "choose an address that no machine has: controllers take it in turn"
            reader.error(each.at, f"{what} is already used by {users[address]}", remedy)
        elif _unusable(address):
            remedy = "use a free address of the controllers' network"
            reader.error(each.at, f"{what} is no address that a node can have", remedy)
        elif manifest.network and not _is_free(manifest, address):
            wrong = f"{what} is not the address of a node in the network {manifest.network}"
            reader.error(each.at, wrong, "use one of this network, as the controllers do")
        users.setdefault(address, f"zone {each.zone}")


def _is_free(manifest: Manifest, address: IPAddress) -> bool:
    """Whether a node in the network could have that address."""
    network = manifest.network
    assert network
    taken = {network.network_address, network.broadcast_address}
    if manifest.machines is MachineKind.VAGRANT:
        taken.add(_first(network))
    return address in network and address not in taken


def check_interfaces(
    reader: FieldReader,
    settings: Settings,
    nodes: Iterable[Node],
    cookbooks: Iterable[CookbookEntry],
    berksfile: bool,
) -> None:
    """Add findings for interfaces that stackcook cannot set up.

    A cookbook that is not listed may come from a ``berksfile``.
    """
    described = [node for node in nodes if node.interfaces]
    for node in described:
        reason = ""
        if node.provider or node.options.knife_only or settings.bootstrap is BootstrapKind.KNIFE:
            reason = "knife bootstraps it"
        elif node.policy_name:
            reason = "it has a policy"
        if reason:
            what = f"node {node.name}: its interfaces cannot be set up, because {reason}"
            reader.error(node.at, what, "remove `interfaces`, and set them up yourself")
    listed = any(cookbook.name == HOST_NETWORK_COOKBOOK for cookbook in cookbooks)
    if described and not listed and not berksfile:
        what = f"interfaces need the cookbook {HOST_NETWORK_COOKBOOK}"
        reader.error(described[0].at, what, f"add `- {HOST_NETWORK_COOKBOOK}:` to `cookbooks`")


def _check_defaults(reader: FieldReader, settings: Settings, roles: Collection[str]) -> None:
    """Add findings for defaults of roles that no node has, and for those without effect."""
    hosts = settings.machines is MachineKind.SSH
    for role, given in settings.node_defaults.items():
        if role not in roles:
            what = f'stackcook: node_defaults: no run list has the role "{role}"'
            reader.warning(given.at, what, suggest(role, roles))
        what = f"stackcook: node_defaults: role[{role}]"
        warn_without_effect(reader, given, what, hosts=hosts)


def _check_tls(reader: FieldReader, settings: Settings, nodes: Iterable[Node]) -> None:
    """Add a finding for the first node whose certificate could not have its address."""
    if settings.tls is None or settings.tls.certificate:
        return
    for node in nodes:
        if node.address is None and (node.provider or node.host):
            what = f"stackcook: tls: the IP address of node {node.name} is not known"
            remedy = f"set `address` in `stackcook: nodes: {node.name}` to an IP address"
            reader.error(settings.tls.at, what, remedy)
            return


def _check_keys(reader: FieldReader, settings: Settings, nodes: Collection[Node]) -> None:
    """Add one finding for all hosts without an SSH key, at the first of them."""
    keyless = [
        node
        for node in nodes
        if node.key is None and not node.provider and not node.options.one("password")
    ]
    if not keyless or _others_may_log_in():
        return
    first, *others = keyless
    given = settings.nodes.get(first.name)
    who = f"{first.name} and {len(others)} more" if others else f"node {first.name}"
    what = f"no SSH key for {who}, and none in ~/.ssh"
    remedy = f"set `key` in `stackcook: nodes: {first.name}`"
    if settings.at is None:
        where = "the section `options`" if others else "its options"
        remedy = f"add -i KEY to {where}"
    reader.lacking(given.at if given else first.at, what, remedy, LOGIN)


def _others_may_log_in() -> bool:
    """Whether ssh finds something to log in with that the manifest does not name."""
    own = os.path.expanduser("~/.ssh")
    files = ("config", *DEFAULT_KEYS)
    given = os.environ.get("SSH_AUTH_SOCK") or os.environ.get("STACKCOOK_SSH_PASSWORD")
    return bool(given) or any(os.path.isfile(os.path.join(own, name)) for name in files)


def _check_addresses(reader: FieldReader, settings: Settings, nodes: Collection[Node]) -> None:
    """Add findings for addresses that are used twice or are outside the network.

    Machines that a provider creates get their addresses from it.
    """
    users: dict[IPAddress | str, str] = {}
    reached: dict[tuple[str, int], str] = {}
    if settings.server_address:
        users[settings.server_address] = "the Chef server"
    ours = [node for node in nodes if not node.provider]
    for node in ours:
        if node.address is None and settings.machines is MachineKind.VAGRANT:
            continue  # a finding already
        given = settings.nodes.get(node.name)
        at = given.places.get("address", node.at) if given else node.at
        place = node.address or node.host.lower()
        if place in users:
            kind = "address" if node.address else "host"
            what = f"node {node.name}: {kind} {place} is already used by {users[place]}"
            reader.error(at, what, "give each node its own")
            continue
        way = (str(node.ssh_place).lower(), node.port or 22)
        other = reached.setdefault(way, node.name)
        if other != node.name:
            at = given.places.get("ssh_address", at) if given else at
            what = f"node {node.name}: SSH reaches node {other} at {way[0]} port {way[1]}"
            reader.error(at, what, "give each node its own ssh_address or port")
        users[place] = f"node {node.name}"
        if node.address:
            _check_place(reader, settings, at, node.name, node.address)
    if ours or not nodes:
        _check_network(reader, settings, len(ours))


def _check_place(
    reader: FieldReader, settings: Settings, at: Position, name: str, address: IPAddress
) -> None:
    network = settings.network
    reserved = address.version == 4 and address.is_reserved  # of IPv6, ::1 and mapped ones, too
    never = address.is_unspecified or address.is_multicast or reserved
    if never and not (network and address in network):  # else a finding is about the network
        what = f"node {name}: {address} is no address that a host can have"
        reader.error(at, what, "write the host's own address")
        return
    if network is None or address.version == 6 or network.num_addresses <= 2:
        return  # a link of two has no addresses for network, bridge and broadcast
    external = settings.external_network
    if address not in network and external and address in external:
        wrong = f"is in the external network {external}"
    elif address not in network:
        wrong = f"is outside the network {network}"
    elif address == network.network_address:
        wrong = "is the address of the network itself"
    elif address == network.broadcast_address:
        wrong = "is the network's broadcast address"
    elif settings.machines is MachineKind.VAGRANT and address == _first(network):
        wrong = "is the bridge's address"
    else:
        return
    hosts = f"use an address from {_first(network) + 1} to {network.broadcast_address - 1}"
    reader.error(at, f"node {name}: address {address} {wrong}", hosts)


def _check_network(reader: FieldReader, settings: Settings, count: int) -> None:
    """Add a finding for a network that Vagrant's machines can't use."""
    if settings.machines is not MachineKind.VAGRANT or settings.at is None:
        return
    network, at = settings.network, settings.network_at
    if network is None:
        if at is None and count:
            what = "stackcook: Vagrant's machines need a network"
            reader.error(settings.at, what, "add `network: 10.0.112.0/24`")
        return
    # all but those of the network, the bridge and the broadcast
    room = max(network.num_addresses - 3, 0)
    if _unusable(network):
        what = f"stackcook: network: machines cannot have addresses in {network}"
        reader.error(at, what, _PRIVATE.format("10.0.112.0/24"))
    elif room < count:
        what = f"stackcook: network: {network} has {room} addresses for {count} nodes"
        reader.error(at, what, "use a larger network")
    elif not network.is_private:
        what = f"stackcook: network: {network} is a public network"
        reader.warning(at, what, _PRIVATE.format("10.0.112.0/24"))


def _check_external(reader: FieldReader, settings: Settings) -> None:
    """Add a finding for an external network that the cloud can't have."""
    external, at = settings.external_network, settings.external_network_at
    hosts = settings.machines is MachineKind.SSH
    if external is None:
        if settings.external_interface:
            what = "stackcook: external_interface has no effect without external_network"
            reader.warning(
                settings.external_interface_at, what, "add external_network, or remove it"
            )
        return
    what = f"stackcook: external_network: {external}"
    private = _PRIVATE.format("10.0.113.0/24")
    if hosts and not settings.external_interface:
        what = "stackcook: external_network: which interface of the hosts is on it?"
        reader.error(at, what, "add `external_interface: NAME`, such as eth1")
    if _unusable(external):
        reader.error(at, f"{what} cannot be used for floating IPs", private)
    elif settings.network and external.overlaps(settings.network):
        reader.error(at, f"{what} overlaps the network {settings.network}", "use another range")
    elif external.num_addresses < LEAST_EXTERNAL:
        wrong = f"{what} has no room for a gateway, a router and two floating IPs"
        reader.error(at, wrong, "use a /29 or a larger network")
    elif not external.is_private and not hosts:
        reader.warning(at, f"{what} is a public network", private)


def _unusable(one: IPv4Network | IPAddress) -> bool:
    """Whether no host can have this address, or any of this network."""
    never = one.is_unspecified or one.is_reserved  # 0.0.0.0, and 240.0.0.0/4
    return never or one.is_loopback or one.is_link_local or one.is_multicast


def _first(network: IPv4Network) -> IPv4Address:
    """The network's first address, which the lab's bridge has."""
    return network.network_address + 1
