"""Finds out which node runs which service, from what each converged node recorded on the server.

The cookbooks' resource ``openstack_service`` sets ``openstack.services`` on the node, and the Chef
client saves it only after a converge without failure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stackcook.chef.rest.client import ChefClient
from stackcook.bootstrap.objects import MOST_ROWS
from stackcook.bootstrap.providers import WINDOWS
from stackcook.errors import ChefServerError, VerifyError
from stackcook.manifest.model import Manifest, Node
from stackcook.parallel import parallel_map

_FACTS = {
    "name": ("name",),
    "address": ("normal", "openstack", "address"),
    "virtual": ("normal", "openstack", "ha", "address"),
    "tls": ("normal", "openstack", "tls", "mode"),
    "vhost": ("default", "openstack", "mq", "vhost"),
    "deploy": ("normal", "stackcook", "deploy"),
    "services": ("default", "openstack", "services"),
    "urls": ("default", "openstack", "public_urls"),
    "hostname": ("automatic", "hostname"),
    "fqdn": ("automatic", "fqdn"),
    "ipaddress": ("automatic", "ipaddress"),
    "ohai_time": ("automatic", "ohai_time"),
}
"""Where a node object has what is read of it."""

KEYSTONE = "keystone"
PLACEMENT = "placement-api"
QUEUE = "rabbitmq-server"
DATABASE = "mariadb"
GALERA = "openstack-galera"
"""The program that reports the state of a member of the database cluster."""
DASHBOARD = "apache2"
COMPUTE = "nova-compute"
CONDUCTOR = "nova-conductor"
SCHEDULER = "nova-scheduler"
OVN = "ovn-controller"
OVN_NORTHD = "ovn-northd"
METADATA = "neutron-ovn-metadata-agent"
HEAT_ENGINE = "heat-engine"
ADDRESS_DAEMONS = ("keepalived", "openstack-ucarp")
"""One of them moves the address that controllers share."""
CINDER_VOLUME = "cinder-volume"
CINDER = ("cinder-scheduler", CINDER_VOLUME, "cinder-backup")


@dataclass(frozen=True)
class Service:
    """A systemd unit that must be active, the TCP ports it must listen on, and its log files.

    ``internal_ports`` are those to which only nodes of the cloud may connect; of a range, the first
    one and the last one.
    """

    unit: str
    ports: tuple[int, ...] = ()
    logs: tuple[str, ...] = ()
    internal_ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class Placed:
    """A node, where it is reached, the names OpenStack may know it by, and what it runs.

    ``converged`` is true once a chef-client run has succeeded there; ``deploy`` is the ID of its
    deploy. ``urls`` has the public URL of each service of the cookbooks (``identity``,
    ``dashboard``) that the node offers over TLS. ``virtual`` is the address that the controllers of
    its cloud share; empty if there is only one. ``secure``: its internal services use TLS, too.
    ``vhost`` is the virtual host of its message queue.
    """

    name: str
    address: str
    names: frozenset[str] = frozenset()
    services: tuple[Service, ...] = ()
    converged: bool = False
    deploy: str = ""
    urls: Mapping[str, str] = field(default_factory=dict, hash=False)
    virtual: str = ""
    secure: bool = False
    vhost: str = "/"

    def service(self, unit: str) -> Service | None:
        """The service of that unit, if it runs here."""
        return next((service for service in self.services if service.unit == unit), None)

    def port(self, unit: str, usual: int) -> int:
        """Where a unit of this node listens: its usual port, unless it has recorded others."""
        service = self.service(unit)
        ports = service.ports if service else ()
        return usual if usual in ports or not ports else ports[0]

    def is_called(self, host: str) -> bool:
        """Whether ``host``, from an OpenStack API, means this node."""
        return is_among(host, self.names)


def is_among(host: str, names: Collection[str]) -> bool:
    """Whether ``host``, with or without its domain, is one of ``names``, which are lower case."""
    return host.lower() in names or host.lower().split(".")[0] in names


def placed(
    manifest: Manifest, chef: ChefClient, only: Collection[str] = (), deploy: str = ""
) -> tuple[Placed, ...]:
    """The nodes of the manifest as the Chef server knows them; raises ChefServerError.

    ``only`` are the names of some; empty: all of them. ``deploy`` is the one that they are looked
    at for, if there is one.
    """
    known = chef.get("/nodes")
    wanted = [
        node
        for node in manifest.nodes
        if (not only or node.name in only)
        and node.provider not in WINDOWS  # nobody logs in to those by SSH
    ]
    few = len(known) <= min(2 * len(wanted), MOST_ROWS)  # nodes that are none of ours
    found = _found(chef, deploy, len(known)) if deploy and few else {}

    def one(node: Node) -> Placed:
        if node.name not in known:
            return _placed(node, {})
        return _placed(node, found.get(node.name) or _facts(chef.get(f"/nodes/{node.name}")))

    return tuple(parallel_map(one, wanted))


def hostnames(manifest: Manifest, chef: ChefClient) -> Mapping[str, frozenset[str]]:
    """Node → the host names that it has reported, in lower case; only nodes that have any.

    Raises ChefServerError.
    """
    known = chef.get("/nodes")
    nodes = [node.name for node in manifest.nodes if node.name in known]
    found = parallel_map(lambda name: _facts(chef.get(f"/nodes/{name}")), nodes)
    names = {
        node: frozenset(str(facts[key]).lower() for key in ("hostname", "fqdn") if facts[key])
        for node, facts in zip(nodes, found)
    }
    return {node: each for node, each in names.items() if each}


def running(nodes: Iterable[Placed], unit: str) -> tuple[Placed, ...]:
    """The nodes that run a unit."""
    return tuple(node for node in nodes if node.service(unit))


def beyond(
    names: Iterable[str], seen: Iterable[Placed], limit: Collection[str], deploy: str
) -> tuple[str, ...]:
    """Those of ``names`` that a deploy of the nodes ``limit`` leaves out of its verification.

    Not Keystone's node, which the checks of all others need; and not what ``deploy`` has converged
    before, as when the nodes that failed are tried again.
    """
    covered = {*limit}
    covered.update(n.name for n in seen if n.service(KEYSTONE) or n.deploy == deploy)
    return tuple(name for name in names if name not in covered)


def _found(chef: ChefClient, deploy: str, rows: int) -> dict[str, Mapping[str, Any]]:
    """The facts of those that have reported ``deploy``, by one search: node objects are big.

    A search may lag: who isn't found yet is to be asked for, and so are all where it fails.
    Searching for the deploy takes goiardi longer than listing all nodes.
    """
    wanted = {fact: path[1:] or path for fact, path in _FACTS.items()}  # of all levels in one
    try:
        answer = chef.post(f"/search/node?q=*:*&rows={rows}", wanted)
        facts = [row["data"] for row in answer["rows"]]
        return {each["name"]: each for each in facts if each["deploy"] == deploy}
    except (ChefServerError, KeyError, TypeError):
        return {}


def _facts(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts that a whole node object has."""
    return {fact: _dig(data, *path) for fact, path in _FACTS.items()}


def _placed(node: Node, facts: Mapping[str, Any]) -> Placed:
    address = node.address or facts.get("address") or facts.get("ipaddress") or node.name
    names = (node.name, facts.get("hostname"), facts.get("fqdn"))
    return Placed(
        name=node.name,
        address=str(address),
        names=frozenset(str(name).lower() for name in names if name),
        services=tuple(_services(facts.get("services") or {})),
        converged=facts.get("ohai_time") is not None,
        deploy=str(facts.get("deploy") or ""),
        urls=dict(facts.get("urls") or {}),
        virtual=str(facts.get("virtual") or ""),
        secure=facts.get("tls") == "all",
        vhost=str(facts.get("vhost") or "/"),
    )


def _services(recorded: Mapping[str, Mapping[str, Any]]) -> Iterable[Service]:
    for unit, said in sorted(recorded.items()):
        ports = tuple(int(port) for port in said.get("ports") or ())
        logs = said.get("log") or ()  # nodes of stackcook before 2026-11-29 have one, as text
        logs = (logs,) if isinstance(logs, str) else tuple(map(str, logs))
        ranges = (str(each) for each in said.get("internal_ports") or ())
        internal = tuple(int(port) for each in ranges for port in each.split("-"))
        yield Service(unit.removesuffix(".service"), ports, logs, internal)


def _dig(data: Any, *path: str) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def unreported(seen: Iterable[Placed], names: Collection[str], deploy: str) -> tuple[str, ...]:
    """Those of ``names`` for which the Chef server has no record that ``deploy`` converged them.

    A server that was killed may have lost the record.
    """
    recorded = {node.name: node.deploy for node in seen}
    return tuple(name for name in names if recorded.get(name) != deploy)


def reported(seen: Iterable[Placed], names: Collection[str], deploy: str) -> None:
    """Raise VerifyError with those of ``names`` that are :func:`unreported`."""
    if missing := unreported(seen, names, deploy):
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise VerifyError(
            "the Chef server has no record that this deploy converged "
            f"{', '.join(missing[:5])}{more}",
            remedy="run `stackcook deploy` again",
        )
