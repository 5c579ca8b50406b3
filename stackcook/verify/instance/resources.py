"""What the instances need in the cloud: created with one prefix in each name, and removed by it.

Whatever a killed run has left behind is found by its name, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Any

from stackcook.errors import VerifyError
from stackcook.verify.check import poll
from stackcook.verify.openstack import VOLUMES, Cloud

PREFIX = "stackcook-verify-"
IMAGE = "test"
OPEN_PORTS = (22, 80)

_MEMORY = 256
"""MiB of an instance, unless the image needs more."""

_SUBNETS = tuple(map(IPv4Network, ("192.168.231.0/24", "10.231.231.0/24", "172.29.231.0/24")))
"""Networks for the instances; the first that is not part of the external network is used."""

_REMOVAL = 60.0
"""Seconds that Nova may take to delete servers."""

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Offer:
    """What the cloud has for instances: the image, the external network and its IPv4 subnets.

    ``image`` and ``external`` are None where there is none.
    """

    image: Entry | None
    external: Entry | None = None
    subnets: tuple[Entry, ...] = ()

    @property
    def gateway(self) -> str:
        """The address of the external network's gateway, ``""`` if it has none."""
        return next((str(each["gateway_ip"]) for each in self.subnets if each["gateway_ip"]), "")

    @property
    def missing(self) -> str:
        """What there is none of, in words; ``""`` if all is there."""
        lacks = [] if self.external else ["no external network"]
        lacks += [] if self.image else [f"no image `{IMAGE}`"]
        return " and ".join(lacks)


def offer(cloud: Cloud) -> Offer:
    """Look for the image and the external network; raises VerifyError."""
    images = cloud.read("image", f"/v2/images?name={IMAGE}&status=active")["images"]
    networks = cloud.read("network", "/v2.0/networks?router:external=true")["networks"]
    # Where there are several, the one that the cookbooks create.
    networks = sorted(networks, key=lambda net: (net["name"] != "public", net["name"]))
    image, external = next(iter(images), None), next(iter(networks), None)
    if external is None:
        return Offer(image)
    found = cloud.read("network", f"/v2.0/subnets?network_id={external['id']}&ip_version=4")
    return Offer(image, external, tuple(found["subnets"]))


@dataclass(frozen=True)
class Prepared:
    """A port for an instance: the server's name, and the address."""

    name: str
    port: str
    address: str


@dataclass(frozen=True)
class Ground:
    """What all instances of a run share, by ID, and a port for each."""

    flavor: str
    image: str
    key: str
    subnet: str
    ports: tuple[Prepared, ...]


def flavor_size(image: Entry) -> dict[str, int]:
    """The memory in MiB, the disk in GB and the CPUs of an instance of this image."""
    memory = max(_MEMORY, int(image.get("min_ram") or 0))
    return {"ram": memory, "disk": max(1, int(image.get("min_disk") or 0)), "vcpus": 1}


def subnet_beside(subnets: Sequence[Entry]) -> IPv4Network:
    """A network for the instances that overlaps none of the external network's subnets."""
    taken = [ip_network(subnet["cidr"]) for subnet in subnets]
    free = (net for net in _SUBNETS if not any(net.overlaps(other) for other in taken))
    return next(free, _SUBNETS[-1])


def create(cloud: Cloud, found: Offer, run: str, number: int, public_key: str) -> Ground:
    """Create flavor, keypair, security group, network, and ``number`` ports; raises VerifyError."""
    assert found.image, "without an image there is nothing to boot"
    name = f"{PREFIX}{run}"
    keypair = {"name": name, "type": "ssh", "public_key": public_key}
    cloud.post("compute", "/os-keypairs", {"keypair": keypair}, version="2.2")
    flavor = {"name": name, **flavor_size(found.image), "os-flavor-access:is_public": False}
    flavor_id = cloud.post("compute", "/flavors", {"flavor": flavor})["flavor"]["id"]
    group = _network(cloud, "security_group", "security-groups", name=name)
    rules: list[dict[str, Any]] = [{"protocol": "icmp"}]
    rules += [
        {"protocol": "tcp", "port_range_min": port, "port_range_max": port} for port in OPEN_PORTS
    ]
    common = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4"}
    wanted = {"security_group_rules": [{**common, **rule} for rule in rules]}
    cloud.post("network", "/v2.0/security-group-rules", wanted)
    network = _network(cloud, "network", "networks", name=name)
    cidr = str(subnet_beside(found.subnets))
    subnet = _network(
        cloud, "subnet", "subnets", name=name, network_id=network, cidr=cidr, ip_version=4
    )
    ports = []
    for each in range(1, number + 1):
        body = {"name": f"{name}-{each}", "network_id": network, "security_groups": [group]}
        port = cloud.post("network", "/v2.0/ports", {"port": body})["port"]
        address = str(port["fixed_ips"][0]["ip_address"])
        ports.append(Prepared(str(port["name"]), str(port["id"]), address))
    return Ground(str(flavor_id), str(found.image["id"]), name, subnet, tuple(ports))


def connect(cloud: Cloud, external: Entry | None, ground: Ground) -> Mapping[str, str]:
    """Port → floating IP: create a router and these; none without an external network.

    Takes as long as all of :func:`create`, so instances boot meanwhile. Raises VerifyError.
    """
    if not external:
        return {}
    outside = {"network_id": external["id"]}
    router = _network(cloud, "router", "routers", name=ground.key, external_gateway_info=outside)
    path = f"/v2.0/routers/{router}/add_router_interface"
    cloud.call("PUT", "network", path, {"subnet_id": ground.subnet})
    return {each.port: _floating(cloud, external, each) for each in ground.ports}


def _network(cloud: Cloud, what: str, path: str, **body: Any) -> str:
    """Create something of Neutron's; its ID."""
    return str(cloud.post("network", f"/v2.0/{path}", {what: body})[what]["id"])


def _floating(cloud: Cloud, external: Entry, prepared: Prepared) -> str:
    body = {
        "floating_network_id": external["id"],
        "port_id": prepared.port,
        "description": prepared.name,  # it has no name
    }
    made = cloud.post("network", "/v2.0/floatingips", {"floatingip": body})["floatingip"]
    return str(made["floating_ip_address"])


@dataclass(frozen=True)
class _Kind:
    """A kind of resource: where it is listed, and the key of the list and of the name.

    ``path`` is where one is deleted, if that is not where they are listed.
    """

    what: str
    service: str
    listed: str
    key: str
    name: str = "name"
    path: str = ""

    def entries(self, cloud: Cloud) -> Iterator[tuple[str, str]]:
        """The path and the name of each that has the prefix; raises VerifyError."""
        path = self.path or self.listed.partition("?")[0]
        for entry in cloud.read(self.service, self.listed)[self.key]:
            entry = entry.get("keypair", entry)
            name = str(entry.get(self.name) or "")
            if name.startswith(PREFIX):
                yield f"{path}/{entry.get('id', name)}", name


_SERVERS = _Kind("server", "compute", f"/servers?all_tenants=true&name=^{PREFIX}", "servers")
_ROUTERS = _Kind("router", "network", "/v2.0/routers", "routers")
_KINDS = (
    _SERVERS,
    _Kind("floating IP", "network", "/v2.0/floatingips", "floatingips", "description"),
    _ROUTERS,
    _Kind("keypair", "compute", "/os-keypairs", "keypairs"),
    _Kind("flavor", "compute", "/flavors?is_public=none", "flavors"),
)
"""Can be deleted while Nova still deletes the servers, in this order."""

_USED_BY_SERVERS = (
    _Kind("volume", VOLUMES, "/volumes?all_tenants=true", "volumes"),
    _Kind("port", "network", "/v2.0/ports", "ports"),
    _Kind("subnet", "network", "/v2.0/subnets", "subnets"),
    _Kind("network", "network", "/v2.0/networks", "networks"),
    _Kind("security group", "network", "/v2.0/security-groups", "security_groups"),
    _Kind("image", "image", "/v2/images?limit=1000", "images"),
)
"""Can be deleted once the servers are gone, in this order."""


def remove(cloud: Cloud, pause: Callable[[float], object] = time.sleep) -> Mapping[str, str]:
    """Delete everything whose name has the prefix; what is left, and why it can't be deleted."""
    left: dict[str, str] = {}
    for kind in _KINDS:
        left |= _remove(cloud, kind)
    left |= _gone(cloud, left, pause)
    for kind in _USED_BY_SERVERS:
        if kind.service != VOLUMES or cloud.has(VOLUMES):
            left |= _remove(cloud, kind)
    return left


def _remove(cloud: Cloud, kind: _Kind) -> Iterator[tuple[str, str]]:
    try:
        found = tuple(kind.entries(cloud))
    except VerifyError as error:
        yield f"{kind.what}s", error.what
        return
    for path, name in found:
        try:
            if kind is _ROUTERS:
                _detach(cloud, path)
            cloud.delete(kind.service, path)
        except VerifyError as error:
            yield f"{kind.what} {name}", error.what


def _detach(cloud: Cloud, router: str) -> None:
    """Remove the interfaces of a router."""
    uuid = router.rpartition("/")[2]
    query = f"/v2.0/ports?device_id={uuid}&device_owner=network:router_interface"
    for port in cloud.read("network", query)["ports"]:
        body = {"port_id": port["id"]}
        cloud.call("PUT", "network", f"{router}/remove_router_interface", body)


def _gone(
    cloud: Cloud, refused: Mapping[str, str], pause: Callable[[float], object]
) -> Iterator[tuple[str, str]]:
    """Wait until the servers are gone: their ports are in use until then."""

    def look() -> tuple[str, ...]:
        names = (f"{_SERVERS.what} {name}" for _, name in _SERVERS.entries(cloud))
        return tuple(name for name in names if name not in refused)

    try:
        for name in poll(time.monotonic() + _REMOVAL, look, lambda left: not left, pause):
            yield name, f"Nova has not deleted it within {_REMOVAL:.0f} s"
    except VerifyError as error:
        yield f"{_SERVERS.what}s", error.what
