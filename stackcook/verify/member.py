"""A compute node as the cloud knows it: in Nova, Placement, Neutron; how to take it out of them."""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection
from dataclasses import dataclass

from stackcook.errors import VerifyError
from stackcook.verify.check import poll
from stackcook.verify.contents import servers
from stackcook.verify.openstack import CLIENT, Cloud, Survey
from stackcook.verify.placing import COMPUTE, CONDUCTOR, OVN, METADATA, is_among

COMPUTE_UNITS = frozenset(
    {COMPUTE, OVN, METADATA, "libvirtd", "openvswitch-switch", "ovs-vswitchd", "ovn-host"}
    | {"openstack-tunnel"}
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

    ``hosts`` are the names by which the cloud knows it. ``alive``: it has reported lately.
    """

    hosts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """The binaries of Nova's other services there."""
    hypervisors: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    instances: tuple[Instance, ...] = ()
    alive: bool = False


def find(cloud: Cloud, found: Survey, names: Collection[str]) -> Member:
    """The entries of the node that has one of ``names``, in lower case. Raises VerifyError."""
    services = [each for each in found.services if is_among(str(each.get("host")), names)]
    computes = [each for each in services if each.get("binary") == COMPUTE]
    agents = [each for each in found.agents if is_among(str(each.get("host")), names)]
    hypervisors = (str(each.get("hypervisor_hostname")) for each in found.hypervisors)
    hosts = dict.fromkeys(str(each["host"]) for each in (*computes, *agents))
    return Member(
        tuple(hosts),
        tuple(str(each["id"]) for each in computes),
        tuple(str(each["binary"]) for each in services if each.get("binary") != COMPUTE),
        tuple(name for name in hypervisors if is_among(name, names)),
        tuple(str(each["id"]) for each in agents),
        tuple(
            Instance(str(each["id"]), str(each["name"]), str(each["status"]))
            for host in hosts
            for each in servers(cloud, host)
        ),
        any(each.get("state") == "up" for each in computes),
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
        raise VerifyError(what, remedy=f"delete them with `{CLIENT} server delete --force`")


def leave_nova(cloud: Cloud, member: Member) -> None:
    """Delete the node's compute service and its resource provider. Raises VerifyError."""
    for id in member.services:
        cloud.delete("compute", f"/os-services/{id}", version="2.53")
    for name in member.hypervisors:
        answer = cloud.read("placement", f"/resource_providers?name={name}")
        for provider in answer.get("resource_providers", ()):
            path = f"/resource_providers/{provider['uuid']}"
            held = cloud.read("placement", f"{path}/allocations").get("allocations", {})
            for consumer in held:
                cloud.delete("placement", f"/allocations/{consumer}")
            cloud.delete("placement", path)


def leave_neutron(cloud: Cloud, member: Member) -> None:
    """Delete the node's agents, once OVN has its chassis no more. Raises VerifyError."""
    for id in member.agents:
        cloud.delete("network", f"/v2.0/agents/{id}")


def southbound_script(member: Member) -> str:
    """Shell commands, for root on the node with OVN's databases, that delete the chassis."""
    lines = ["set -e"]
    # a chassis has the short name
    for name in dict.fromkeys(n for host in member.hosts for n in (host, host.split(".")[0])):
        host = shlex.quote(name)
        lines += [
            f"ovn-sbctl --timeout=30 --if-exists chassis-del {host}",
            f"ovn-sbctl --timeout=30 --if-exists destroy Chassis_Private {host}",
        ]
    return "\n".join(lines)


def cell_script(member: Member) -> str:
    """Shell commands, for root on a controller of Nova, that delete the host from its cell."""
    manage = "runuser -u nova -- nova-manage cell_v2"
    lines = ["set -e"]
    for host in map(shlex.quote, member.hosts):
        cells = f"{manage} list_hosts | awk -F '[| ]+' -v host={host} '$4 == host {{ print $3 }}'"
        delete = f'{manage} delete_host --cell_uuid "$cell" --host {host}'
        lines.append(f"{cells} | while read -r cell; do {delete}; done")
    return "\n".join(lines)


PLACES = {"ovn-ovsdb-server-sb": southbound_script, CONDUCTOR: cell_script}
"""Unit → the script for the node that runs it. The cell's is last: until the service is deleted,
too, the scheduler may map the host again."""
