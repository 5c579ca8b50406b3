"""The controllers that share a virtual address: which they are, and if they can be a cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from stackcook.chef.loader.findings import Findings
from stackcook.chef.objects.attributes import values_set
from stackcook.chef.objects.runlist import recipes_of
from stackcook.errors import UsageError
from stackcook.manifest.model import Manifest, Node

RECIPE = "openstack-ha::controller"
"""What makes a node one of them."""

CEPH = "openstack-ceph::cluster"
KEYSTONE = "openstack-identity::controller"

Documents = Mapping[str, Mapping[str, Any]]


def members(manifest: Manifest, roles: Documents) -> tuple[Node, ...]:
    """The controllers of one cloud that share an address, in the manifest's order."""
    nodes = manifest.nodes if manifest.virtual_address else ()
    return tuple(node for node in nodes if RECIPE in _recipes(node, roles))


def attributes(manifest: Manifest, roles: Documents) -> Mapping[str, Any]:
    """What the nodes of one cloud get below ``openstack``; empty with a single controller.

    The members are one text, as Chef would add the items of a list to those that are saved. Those
    of Ceph are there, too: a search would find only the nodes that have converged.
    """
    if not manifest.virtual_address:
        return {}
    controllers = members(manifest, roles)
    shared = {"address": str(manifest.virtual_address), "members": _listed(controllers)}
    ceph = [node for node in manifest.nodes if CEPH in _recipes(node, roles)]
    if not ceph or any(node.address is None for node in ceph):
        return {"ha": shared}
    ceph.sort(key=lambda node: node not in controllers)
    return {"ha": shared, "ceph": {"members": _listed(ceph)}}


def _listed(nodes: Iterable[Node]) -> str:
    return " ".join(f"{node.name}={node.address}" for node in nodes)


def in_turn(
    manifest: Manifest, roles: Documents, single: Collection[str] = ()
) -> Iterator[tuple[str, ...]]:
    """Of each cloud, the names of these controllers, in the order in which they converge.

    The order is that of the manifest, but in each stage, those in ``single`` are first: they have
    the data of a cloud with one controller, with which the clusters begin.
    """
    for zone in manifest.zones or ("",):
        mine = manifest.zone(zone)
        names = {node.name for node in members(mine, roles)}
        if names:
            staged = (
                node.name
                for _, nodes in mine.staged()
                for node in sorted(nodes, key=lambda node: node.name not in single)
            )
            yield tuple(name for name in staged if name in names)


def check_tls(nodes: Iterable[Mapping[str, Any]], internal: bool) -> None:
    """Raise UsageError if controllers that are to be a cluster would turn `tls: all` on or off.

    ``nodes`` are their node objects, ``internal`` says if they are to have TLS between them. Those
    that have changed would not reach the others: there would be two clusters.
    """
    modes = {each["name"]: _tls_mode(each) for each in nodes}
    other = [name for name, mode in modes.items() if mode and (mode == "all") != internal]
    if not other:
        return
    names, where = ", ".join(other), "stackcook: tls"
    if internal:
        what = f"several controllers cannot change to `tls: all` (deployed without it: {names})"
        remedy = "remove it; a single controller can change to it before you add others"
        raise UsageError(what, where=where, remedy=remedy)
    what = f"several controllers cannot change from `tls: all` (deployed with it: {names})"
    remedy = "write it again, or run `stackcook destroy` first, for a new cloud"
    raise UsageError(what, where=where, remedy=remedy)


def _tls_mode(node: Mapping[str, Any]) -> str:
    """The mode of ``tls`` in its last successful converge; empty if it had none yet."""
    openstack = (node.get("normal") or {}).get("openstack") or {}
    return str((openstack.get("tls") or {}).get("mode") or "")


def check_members(
    manifest: Manifest, roles: Documents, environments: Documents, findings: Findings
) -> None:
    """Add findings for clouds whose controllers could not share an address."""
    documents = (*roles.values(), *environments.values())
    zones = manifest.zones or ("",)
    if any(each.zone not in zones for each in manifest.virtual_addresses):
        return  # a finding of the manifest says so: whose address it is, is not known
    for zone in zones:
        _check(manifest.zone(zone), roles, documents, findings)


def _check(
    manifest: Manifest,
    roles: Documents,
    documents: Iterable[Mapping[str, Any]],
    findings: Findings,
) -> None:
    path, virtual = manifest.path, manifest.virtual_address
    found = [node for node in manifest.nodes if RECIPE in _recipes(node, roles)]
    at = manifest.virtual_addresses[0].at if virtual else None
    if found and not virtual:
        what = f"node {found[0].name}: recipe[{RECIPE}] needs an address that controllers share"
        remedy = "add `virtual_address: ADDRESS` to `stackcook:`, of the controllers' network"
        findings.error(path, found[0].at, what, remedy)
    if not virtual:
        if not found:
            _warn_of_several(manifest, roles, documents, findings)
        return
    what = f"stackcook: virtual_address: {virtual}"
    if not found:
        if all(role in roles for node in manifest.nodes for role in node.roles):
            remedy = "give three nodes role[ha-controller], or remove it"
            findings.error(path, at, f"{what}: no node has recipe[{RECIPE}]", remedy)
        return
    names = ", ".join(node.name for node in found)
    if len(found) % 2 == 0:
        wrong = (
            f"{len(found)} controllers ({names}) have no quorum without {len(found) // 2} of them"
        )
        findings.error(path, at, f"{what}: {wrong}", "use 3")
    elif len(found) == 1:
        remedy = "use 3; or role[single-controller], without a virtual_address"
        findings.error(path, at, f"{what}: {names} is the only controller", remedy)
    for node in found:
        if node.address is None:
            wrong = f"node {node.name}: its IP address is not known, but other controllers need it"
            remedy = f"set `address` in `stackcook: nodes: {node.name}` to an IP address"
            findings.error(path, node.at, wrong, remedy)
    stores = [node.name for node in manifest.nodes if CEPH in _recipes(node, roles)]
    if not stores and not _shares_images(documents):
        wrong = "each controller has images of its own: what one has, others cannot give out"
        remedy = (
            "give nodes role[ceph], or put images on storage that controllers share, and set the"
            " attribute openstack.image.shared"
        )
        findings.warning(path, at, f"{what}: {wrong}", remedy)
    elif 0 < len(stores) < 3:
        names = " and ".join(stores)
        wrong = f"Ceph runs only on {names}; if a node of Ceph fails, images cannot be read"
        remedy = "give three nodes role[ceph], so that one of them may fail"
        findings.warning(path, at, f"{what}: {wrong}", remedy)


def _warn_of_several(
    manifest: Manifest,
    roles: Documents,
    documents: Iterable[Mapping[str, Any]],
    findings: Findings,
) -> None:
    """Warn of controllers of one environment among which other nodes cannot choose."""
    names = ("openstack.endpoints.internal.identity.host", "openstack.endpoints.identity.host")
    if any(any(values_set(document, name)) for document in documents for name in names):
        return
    first: dict[str, str] = {}
    for node in manifest.nodes:
        if KEYSTONE not in _recipes(node, roles):
            continue
        other = first.setdefault(node.environment, node.name)
        if other != node.name:
            wrong = f"node {node.name}: {other} is a controller, too, and they share no address"
            remedy = (
                "use one, or three with role[ha-controller] and `virtual_address`, or two zones"
            )
            findings.warning(manifest.path, node.at, wrong, remedy)


def _recipes(node: Node, roles: Documents) -> set[str]:
    return set(recipes_of(node.run_list, node.environment, roles))


def _shares_images(documents: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the attributes give Glance storage that all controllers see."""
    names = ("openstack.ceph.mon_hosts", "openstack.image.shared")
    return any(any(values_set(document, name)) for document in documents for name in names)
