"""A compute node as the cloud knows it: in Nova, Placement, Neutron; how to take it out of them."""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from stackcook.errors import VerifyError
from stackcook.verify.check import poll
from stackcook.verify.contents import servers
from stackcook.verify.openstack import Cloud, Survey
from stackcook.verify.placing import COMPUTE, CONDUCTOR, OVN, METADATA, is_among

COMPUTE_UNITS = frozenset(
    {COMPUTE, OVN, METADATA, "libvirtd", "openvswitch-switch", "ovs-vswitchd", "ovn-host"}
    | {"openstack-tunnel", "openstack-provider", "openstack-firewall"}
)
"""The units of a node that runs instances, and nothing else."""

GONE = 180.0
"""Seconds that Nova may take to delete instances."""


@dataclass(frozen=True)
class Instance:
    """An instance on the node; ``status`` is Nova's."""

    id: str
    name: str
    status: str


@dataclass(frozen=True)
class Member:
    """The entries of one compute node, by the IDs of each API; all are empty if there are none.

    ``hosts`` are the names by which the cloud knows it.
    """

    hosts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    computes: tuple[str, ...] = ()
    """Those of ``hosts`` that have a nova-compute."""
    others: tuple[str, ...] = ()
    """The binaries of Nova's other services there."""
    providers: tuple[str, ...] = ()
    """Its resource providers in Placement."""
    agents: tuple[str, ...] = ()
    instances: tuple[Instance, ...] = ()
    last: bool = False
    """Whether no other node has a nova-compute."""


def find(cloud: Cloud, found: Survey, names: Collection[str]) -> Member:
    """The entries of the node that has one of ``names``, in lower case. Raises VerifyError."""
    services = [each for each in found.services if is_among(str(each.get("host")), names)]
    computes = [each for each in services if each.get("binary") == COMPUTE]
    everywhere = [each for each in found.services if each.get("binary") == COMPUTE]
    agents = [each for each in found.agents if is_among(str(each.get("host")), names)]
    providers = cloud.read("placement", "/resource_providers").get("resource_providers", ())
    hosts = dict.fromkeys(str(each["host"]) for each in (*computes, *agents))
    return Member(
        hosts=tuple(hosts),
        services=tuple(str(each["id"]) for each in computes),
        computes=tuple(dict.fromkeys(str(each["host"]) for each in computes)),
        others=tuple(str(each["binary"]) for each in services if each.get("binary") != COMPUTE),
        providers=tuple(
            str(each["uuid"]) for each in providers if is_among(str(each["name"]), names)
        ),
        agents=tuple(str(each["id"]) for each in agents),
        instances=tuple(
            Instance(str(each["id"]), str(each["name"]), str(each["status"]))
            for host in hosts
            for each in servers(cloud, host)
        ),
        last=bool(computes) and computes == everywhere,
    )


def disable(cloud: Cloud, member: Member) -> None:
    """Let the scheduler choose the node no more. Raises VerifyError."""
    body = {"status": "disabled", "disabled_reason": "removed by stackcook"}
    for id in member.services:
        cloud.call("PUT", "compute", f"/os-services/{id}", body, version="2.53")


def delete_instances(cloud: Cloud, member: Member) -> None:
    """Delete all instances on the node, and wait until they are gone. Raises VerifyError."""
    for instance in member.instances:
        cloud.delete("compute", f"/servers/{instance.id}")

    def left() -> tuple[str, ...]:
        found = (each for host in member.hosts for each in servers(cloud, host))
        return tuple(str(each["name"]) for each in found)

    if still := poll(time.monotonic() + GONE, left, lambda names: not names):
        what = f"Nova has not deleted {', '.join(still)} within {GONE:.0f} s"
        delete = f"openstack --os-cloud {cloud.os_cloud} server delete --force"
        raise VerifyError(what, remedy=f"delete them with `{delete}`")


def leave_nova(cloud: Cloud, member: Member) -> None:
    """Delete the node's compute service and its resource providers.

    Raises VerifyError, also if Placement keeps a provider: it says which instances have an
    allocation there.
    """
    for id in member.services:
        cloud.delete("compute", f"/os-services/{id}", version="2.53")
    # Nova has deleted the providers, too, unless they had allocations
    left = [text for provider in member.providers for text in _clear(cloud, provider)]
    if left:
        what = f"Placement still has allocations on the node: {', '.join(left)}"
        unset = f"openstack --os-cloud {cloud.os_cloud} resource provider allocation unset"
        remedy = f"delete these instances, or run `{unset}`; then run the command again"
        raise VerifyError(what, remedy=remedy)


def _clear(cloud: Cloud, provider: str) -> Iterator[str]:
    """Delete a resource provider, and allocations that are on no other one.

    Yields what has others as well, such as an instance that was evacuated: it is in use elsewhere.
    """
    path = f"/resource_providers/{provider}"
    held = cloud.find("placement", f"{path}/allocations")
    if held is None:
        return
    left = []
    for consumer in held["allocations"]:
        everywhere = cloud.read("placement", f"/allocations/{consumer}")["allocations"]
        if set(everywhere) <= {provider}:
            cloud.delete("placement", f"/allocations/{consumer}")
        else:
            left.append(f"{consumer} on provider {provider}")
    if not left:
        cloud.delete("placement", path)
    yield from left


def leave_neutron(cloud: Cloud, member: Member) -> None:
    """Delete the node's agents, once OVN has its chassis no more. Raises VerifyError."""
    for id in member.agents:
        cloud.delete("network", f"/v2.0/agents/{id}")


_OVN_SBCTL = "ovn-sbctl --timeout=30 --no-leader-only"
"""Any member of a database cluster passes a change on to its leader."""


def southbound_script(member: Member) -> str:
    """Shell commands, for root on the node with OVN's databases, that delete the chassis."""
    lines = ["set -e"]
    # a chassis has the short name
    for name in dict.fromkeys(n for host in member.hosts for n in (host, host.split(".")[0])):
        host = shlex.quote(name)
        lines += [
            f"{_OVN_SBCTL} --if-exists chassis-del {host}",
            f"{_OVN_SBCTL} --if-exists destroy Chassis_Private {host}",
        ]
    return "\n".join(lines)


def cell_script(member: Member) -> str:
    """Shell commands, for root on a controller of Nova, that let the node come back.

    Nova keeps the record of a compute node whose service is deleted, and uses it again if the node
    comes back. Its mark `mapped` would keep that out of a cell. ``delete_host`` removes the mark,
    but the scheduler, every 30 s, sets it again where a host has no mapping. So the host gets a
    mapping that sets no mark; Nova deletes it with the service.
    """
    return "\n".join((_UNMAP, *(f"unmap {shlex.quote(host)}" for host in member.computes)))


_UNMAP = """\
set -e
cells() { LC_ALL=C runuser -u nova -- nova-manage cell_v2 "$@"; }
unmap() {
  for attempt in 1 2 3; do
    cell=$(cells list_hosts | awk -F '[| ]+' -v host="$1" '$4 == host { print $3 }')
    test -z "$cell" || cells delete_host --cell_uuid "$cell" --host "$1"
    said=$(cells discover_hosts --by-service --verbose) || continue # the scheduler was faster
    if echo "$said" | grep -qxF "Creating host mapping for service $1"; then return; fi
  done
  echo "Nova maps $1 to its cell again and again"
  exit 1
}"""

PLACES = {"ovn-ovsdb-server-sb": southbound_script, CONDUCTOR: cell_script}
"""Unit → the script for the node that runs it."""
