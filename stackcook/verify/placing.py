"""Which node runs what: read from the Chef server, where each converged node has recorded it.

The cookbooks' resource ``openstack_service`` sets ``openstack.services`` on the node, and the Chef
client saves it only after a converge without failure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from stackcook.bootstrap.providers import WINDOWS
from stackcook.manifest.model import Manifest, Node

WORKERS = 8
KEYSTONE = "keystone"
PLACEMENT = "placement-api"
QUEUE = "rabbitmq-server"
DATABASE = "mariadb"
DASHBOARD = "apache2"
COMPUTE = "nova-compute"
OVN = "ovn-controller"
METADATA = "neutron-ovn-metadata-agent"


class ChefObjects(Protocol):
    """The one thing that is needed of the Chef server's client."""

    def get(self, path: str) -> Any:
        """The JSON at ``path``; raises ChefServerError."""
        ...


@dataclass(frozen=True)
class Service:
    """A systemd unit that must be active, the TCP ports it must listen on, and its log file."""

    unit: str
    ports: tuple[int, ...] = ()
    log: str = ""


@dataclass(frozen=True)
class Placed:
    """A node, where it is reached, the names OpenStack may know it by, and what it runs.

    ``converged`` says whether a Chef client has ever ended well there, ``deploy`` by which deploy.
    """

    name: str
    address: str
    names: frozenset[str] = frozenset()
    services: tuple[Service, ...] = ()
    converged: bool = False
    deploy: str = ""

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
        return host.lower() in self.names or host.lower().split(".")[0] in self.names


def placed(manifest: Manifest, chef: ChefObjects, only: Collection[str] = ()) -> tuple[Placed, ...]:
    """The nodes of the manifest as the Chef server knows them; raises ChefServerError.

    ``only`` are the names of some; empty: all of them.
    """
    known = chef.get("/nodes")
    wanted = [
        node
        for node in manifest.nodes
        if (not only or node.name in only)
        and node.provider not in WINDOWS  # nobody logs in to those by SSH
    ]

    def one(node: Node) -> Placed:
        return _placed(node, chef.get(f"/nodes/{node.name}") if node.name in known else {})

    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        return tuple(pool.map(one, wanted))


def running(nodes: Iterable[Placed], unit: str) -> tuple[Placed, ...]:
    """The nodes that run a unit."""
    return tuple(node for node in nodes if node.service(unit))


def _placed(node: Node, data: Mapping[str, Any]) -> Placed:
    automatic = data.get("automatic") or {}
    address = node.address or _dig(data, "normal", "openstack", "address")
    names = (node.name, automatic.get("hostname"), automatic.get("fqdn"))
    return Placed(
        name=node.name,
        address=str(address or automatic.get("ipaddress") or node.name),
        names=frozenset(str(name).lower() for name in names if name),
        services=tuple(_services(_dig(data, "default", "openstack", "services") or {})),
        converged="ohai_time" in automatic,
        deploy=str(_dig(data, "normal", "stackcook", "deploy") or ""),
    )


def _services(recorded: Mapping[str, Mapping[str, Any]]) -> Iterable[Service]:
    for unit, said in sorted(recorded.items()):
        ports = tuple(int(port) for port in said.get("ports") or ())
        yield Service(unit.removesuffix(".service"), ports, str(said.get("log") or ""))


def _dig(data: Any, *path: str) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data
