"""What Nova and Neutron say of the compute nodes: nova-compute and the OVN agents.

A fresh compute node is not there at once: Nova looks for new hosts every 30 s, and an agent counts
as alive after its first report. So a survey that finds something missing is worth another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stackcook.errors import VerifyError
from stackcook.verify.check import Checks, timed
from stackcook.verify.keystone import Cloud
from stackcook.verify.placing import COMPUTE, METADATA, OVN, Placed

Entries = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Survey:
    """The APIs' lists: Nova's services and hypervisors, Neutron's agents."""

    services: Entries
    hypervisors: Entries
    agents: Entries


def wanted(nodes: Iterable[Placed]) -> tuple[Placed, ...]:
    """The nodes that a survey has something to say of."""
    units = (COMPUTE, OVN, METADATA)
    return tuple(node for node in nodes if any(node.service(unit) for unit in units))


def survey(cloud: Cloud) -> Survey:
    """Ask Nova and Neutron once for all nodes; raises VerifyError."""
    services = cloud.read("compute", f"/os-services?binary={COMPUTE}")
    hypervisors = cloud.read("compute", "/os-hypervisors")
    agents = cloud.read("network", "/v2.0/agents")
    return Survey(
        tuple(services.get("services", ())),
        tuple(hypervisors.get("hypervisors", ())),
        tuple(agents.get("agents", ())),
    )


def checks(found: Survey, node: Placed) -> Checks:
    """What the survey says of one node; each is looked for only if the node runs it."""
    looks = (
        ("nova-compute in Nova", COMPUTE, lambda: _nova_compute(found, node)),
        ("OVN controller agent", OVN, lambda: _agent(found, node, "OVN Controller")),
        ("OVN metadata agent", METADATA, lambda: _agent(found, node, "OVN Metadata")),
    )
    return tuple(
        timed(name, node.name, unit, look) for name, unit, look in looks if node.service(unit)
    )


def _nova_compute(found: Survey, node: Placed) -> None:
    service = _of(node, found.services, "host", "Nova knows no nova-compute on this host yet")
    host = service["host"]
    if service.get("state") != "up":
        since = service.get("updated_at") or "never"
        raise VerifyError(f"Nova has it as {service.get('state')}, last report: {since}")
    if service.get("status") != "enabled":
        set_ = f"openstack --os-cloud stackcook compute service set --enable {host} {COMPUTE}"
        why = service.get("disabled_reason") or "no reason given"
        raise VerifyError(f"it is disabled in Nova ({why})", remedy=f"enable it: {set_}")
    missing = (
        "nova-compute is up, but no cell has its host yet (nova-manage cell_v2 discover_hosts)"
    )
    _of(node, found.hypervisors, "hypervisor_hostname", missing)


def _agent(found: Survey, node: Placed, kind: str) -> None:
    # An agent that may be a gateway says so in its type: "OVN Controller Gateway agent".
    mine = (a for a in found.agents if str(a.get("agent_type", "")).startswith(kind))
    agent = _of(node, mine, "host", f"Neutron knows no {kind} agent on this host yet")
    if not agent.get("alive"):
        raise VerifyError(
            f"Neutron has it as dead, last report: {agent.get('heartbeat_timestamp')}"
        )


def _of(
    node: Placed, entries: Iterable[Mapping[str, Any]], key: str, missing: str
) -> Mapping[str, Any]:
    for entry in entries:
        if node.is_called(str(entry.get(key, ""))):
            return entry
    raise VerifyError(missing)
