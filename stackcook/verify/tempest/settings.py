"""tempest.conf: what Tempest must know of a cloud, asked of its APIs."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from configparser import ConfigParser
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from stackcook.errors import VerifyError
from stackcook.verify import horizon
from stackcook.verify.clouds import DEMO
from stackcook.verify.gate import Credentials
from stackcook.verify.openstack import DOMAIN, PROJECT, REGION, USER, Cloud, parsed, status
from stackcook.verify.placing import COMPUTE, DASHBOARD, Placed, running

BLOCK_STORAGE = ("block-storage", "volumev3")
"""The names that Cinder may have in the catalog."""

CA = "/etc/openstack/ca.pem"
"""Where the node that runs Keystone has the CA certificates that clients need."""

_NETWORKS = tuple(map(IPv4Network, ("10.100.0.0/16", "172.30.0.0/16", "192.168.0.0/16")))
"""Networks for the tests' projects; the first is used that overlaps nothing else."""

Versions = tuple[str, str]
"""The lowest and the highest microversion."""


@dataclass(frozen=True)
class Resources:
    """The images and flavors of the tests' instances, by ID.

    ``user`` is who may log in to them with a key, ``""`` if that is not known; ``config_drive``
    says whether they can read a config drive.
    """

    image: str
    image_alt: str
    flavor: str
    flavor_alt: str
    user: str = ""
    config_drive: bool = True


@dataclass(frozen=True)
class Features:
    """What a cloud has, as its APIs say.

    ``services`` are the types in the catalog; ``external`` are ID and name of the external network,
    empty if there is none; ``microversions`` are by type. ``resize`` says whether a node can resize
    its own instances, ``formats`` whether Glance checks that an image has the format it claims.
    """

    auth_url: str
    services: frozenset[str]
    compute_nodes: int
    microversions: Mapping[str, Versions]
    extensions: Sequence[str] = ()
    external: tuple[str, str] = ("", "")
    network: str = str(_NETWORKS[0])
    roles: frozenset[str] = frozenset()
    console: bool = False
    resize: bool = False
    backup: bool = False
    formats: bool = True
    object_storage: Mapping[str, Any] | None = None
    dashboard: str = ""
    """Horizon's URL, which is not in the catalog; empty if no node runs it."""
    region: str = REGION

    @property
    def volumes(self) -> bool:
        """Whether there is Cinder."""
        return any(name in self.services for name in BLOCK_STORAGE)


def discover(
    cloud: Cloud, auth_url: str, nodes: Sequence[Placed], *, resize: bool, region: str = REGION
) -> Features:
    """Ask the APIs what the cloud has; raises VerifyError."""
    services = frozenset(endpoint.type for endpoint in cloud.catalog)
    networks = cloud.read("network", "/v2.0/networks?router:external=true")["networks"]
    networks = sorted(networks, key=lambda net: (net["name"] != "public", net["name"]))
    subnets = []
    for network in networks[:1]:
        found = cloud.read("network", f"/v2.0/subnets?network_id={network['id']}&ip_version=4")
        subnets = found["subnets"]
    extensions = cloud.read("network", "/v2.0/extensions")["extensions"]
    volumes = next((name for name in BLOCK_STORAGE if name in services), "")
    microversions = {"compute": _versions(cloud, "compute")}
    microversions["placement"] = _versions(cloud, "placement")
    backup = False
    if volumes:
        microversions["volume"] = _versions(cloud, volumes)
        found = cloud.read(volumes, "/os-services?binary=cinder-backup")["services"]
        backup = any(service["state"] == "up" for service in found)
    roles = cloud.read("identity", _v3(cloud, "/roles"))["roles"]
    return Features(
        auth_url=auth_url,
        services=services,
        compute_nodes=len(running(nodes, COMPUTE)),
        microversions={name: found for name, found in microversions.items() if found},
        extensions=sorted(extension["alias"] for extension in extensions),
        external=(networks[0]["id"], networks[0]["name"]) if networks else ("", ""),
        network=str(free_network([s["cidr"] for s in subnets], [node.address for node in nodes])),
        roles=frozenset(role["name"] for role in roles),
        console=bool(running(nodes, "nova-novncproxy")),
        resize=resize,
        backup=backup,
        formats=_checks_formats(cloud),
        object_storage=_info(cloud) if "object-store" in services else None,
        dashboard=next((f"{horizon.base(n)}/" for n in running(nodes, DASHBOARD)), ""),
        region=region,
    )


def free_network(taken: Iterable[str], addresses: Iterable[str]) -> IPv4Network:
    """A network that overlaps none of ``taken``, and has none of ``addresses``, names left out."""
    used = [ip_network(cidr) for cidr in taken]
    for address in addresses:
        try:
            used.append(ip_network(str(ip_address(address))))
        except ValueError:
            continue  # a name
    v4 = [net for net in used if isinstance(net, IPv4Network)]
    free = (net for net in _NETWORKS if not any(net.overlaps(other) for other in v4))
    return next(free, _NETWORKS[-1])


def _v3(cloud: Cloud, path: str) -> str:
    """The path below Keystone's endpoint, which may end in /v3 or not."""
    return path if cloud.url("identity").rstrip("/").endswith("/v3") else f"/v3{path}"


def _versions(cloud: Cloud, type_: str) -> Versions | None:
    """The microversions of a service; None if it has none. Raises VerifyError."""
    url = cloud.url(type_).rstrip("/")
    if match := re.match(r"(.*/v\d[\d.]*)/", url):  # Cinder's may end with the project
        url = match[1]
    response = cloud.get(f"{url}/")
    if response.status_code not in (200, 300):
        raise VerifyError(f"{url}/ returned {status(response)}")
    said = parsed(response, url)
    entries = said.get("versions") or [said.get("version") or {}]
    for entry in reversed(entries):
        lowest = entry.get("min_version")
        highest = entry.get("max_version") or entry.get("version")
        if lowest and highest:
            return str(lowest), str(highest)
    return None


def _checks_formats(cloud: Cloud) -> bool:
    """Whether Glance refuses data that is not what the image's format says: try it."""
    body = {"name": "stackcook-verify-format", "disk_format": "qcow2", "container_format": "bare"}
    image = cloud.post("image", "/v2/images", body)["id"]
    try:
        answer = cloud.upload("image", f"/v2/images/{image}/file", b"this is no qcow2")
        return bool(answer >= 400)
    finally:
        cloud.delete("image", f"/v2/images/{image}")


def _info(cloud: Cloud) -> Mapping[str, Any]:
    """What Swift says of itself; empty if it does not."""
    parts = urlsplit(cloud.url("object-store"))
    url = f"{parts.scheme}://{parts.netloc}/info"
    response = cloud.get(url)
    return dict(parsed(response, url)) if response.status_code == 200 else {}


def config(features: Features, resources: Resources, credentials: Credentials) -> str:
    """The text of tempest.conf; the passwords of admin and demo are in it.

    What the cloud has not, or cannot be asked for, is switched off, so that its tests are skipped.
    """
    found = ConfigParser(interpolation=None)
    sections = _sections(features, resources)
    sections["auth"]["admin_password"] = credentials.admin
    if credentials.ca:
        sections["identity"]["ca_certificates_file"] = CA
        if "heat_plugin" in sections:
            sections["heat_plugin"]["ca_file"] = CA
    if "heat_plugin" in sections:
        sections["heat_plugin"] |= _heat_users(credentials)
    for section, options in sections.items():
        found[section] = {key: _value(value) for key, value in options.items()}
    text = io.StringIO()
    found.write(text)
    return text.getvalue()


def _value(value: object) -> str:
    """As oslo.config reads it, where ``$`` begins a reference."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace("$", "$$")


def _sections(features: Features, resources: Resources) -> dict[str, dict[str, object]]:
    services = features.services
    ssh = bool(resources.user and features.external[0])
    several = features.compute_nodes > 1
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {
            "log_file": "tempest.log",
            # What is created is recorded, so that `tempest cleanup` can remove it.
            "record_resources": True,
            "resource_name_prefix": "tempest",
        },
        "oslo_concurrency": {"lock_path": "lock"},
        "auth": {
            "use_dynamic_credentials": True,
            "admin_username": USER,
            "admin_project_name": PROJECT,
            "admin_domain_name": DOMAIN,
        },
        "identity": {
            "uri_v3": features.auth_url,
            "auth_version": "v3",
            "region": features.region,
            "v3_endpoint_type": "public",
        },
        "identity-feature-enabled": {"api_v2": False, "api_v3": True},
        "service_available": {
            "nova": "compute" in services,
            "glance": "image" in services,
            "neutron": "network" in services,
            "cinder": features.volumes,
            "swift": "object-store" in services,
            "heat": "orchestration" in services,
            "heat_plugin": "orchestration" in services,
            "horizon": bool(features.dashboard),
        },
        "compute": {
            "image_ref": resources.image,
            "image_ref_alt": resources.image_alt,
            "flavor_ref": resources.flavor,
            "flavor_ref_alt": resources.flavor_alt,
            "min_compute_nodes": features.compute_nodes,
            "build_timeout": 600,
            "build_interval": 2,
            **_microversions(features, "compute"),
        },
        "compute-feature-enabled": {
            "vnc_console": features.console,
            "resize": features.resize,
            "config_drive": resources.config_drive,
            # Between nodes, they need SSH or TLS between these, which the APIs do not tell.
            "cold_migration": False,
            "live_migration": False,
            "block_migration_for_live_migration": False,
            "can_migrate_between_any_hosts": several,
        },
        "placement": _microversions(features, "placement"),
        "network": {
            "project_network_cidr": features.network,
            "public_network_id": features.external[0],
            "floating_network_name": features.external[1],
        },
        "network-feature-enabled": {
            "api_extensions": ",".join(features.extensions),
            "floating_ips": bool(features.external[0]),
        },
        "image-feature-enabled": {"image_format_enforcement": features.formats},
        "validation": {
            "run_validation": ssh,
            "connect_method": "floating",
            "auth_method": "keypair",
            "ssh_key_type": "ecdsa",
            "image_ssh_user": resources.user or "root",
            "image_alt_ssh_user": resources.user or "root",
            "ssh_timeout": 300,
            "ping_timeout": 180,
            "connect_timeout": 30,
        },
    }
    if features.volumes:
        sections["volume"] = {
            "build_timeout": 600,
            "volume_size": 1,
            **_microversions(features, "volume"),
        }
        sections["volume-feature-enabled"] = {"backup": features.backup}
    if features.dashboard:
        sections["dashboard"] = {"dashboard_url": features.dashboard}
    if "object-store" in services:
        sections |= _object_storage(features)
    if "orchestration" in services:
        sections["heat_plugin"] = _orchestration(features, resources)
    return sections


def _microversions(features: Features, type_: str) -> dict[str, object]:
    lowest, highest = features.microversions.get(type_, ("", ""))
    return {"min_microversion": lowest, "max_microversion": highest} if lowest else {}


def _object_storage(features: Features) -> dict[str, dict[str, object]]:
    def role(*names: str) -> str:
        """The first of these roles that exists; the last one if none does."""
        return next((name for name in names if name in features.roles), names[-1])

    info = features.object_storage or {}
    return {
        "object-storage": {
            "operator_role": role("SwiftOperator", "swiftoperator", "member"),
            "reseller_admin_role": role("ResellerAdmin", "reseller_admin", "admin"),
        },
        "object-storage-feature-enabled": {
            "discoverability": bool(info),
            "discoverable_apis": ",".join(sorted(name for name in info if name != "swift")),
        },
    }


def _orchestration(features: Features, resources: Resources) -> dict[str, object]:
    """What heat-tempest-plugin needs besides its users."""
    return {
        "auth_url": features.auth_url,
        "auth_version": 3,
        "region": features.region,
        "image_ref": resources.image,
        "minimal_image_ref": resources.image,
        "instance_type": resources.flavor_alt,
        "minimal_instance_type": resources.flavor,
        "floating_network_name": features.external[1],
    }


def _heat_users(credentials: Credentials) -> dict[str, object]:
    """Who heat-tempest-plugin logs in as, already when it lists its tests; demo has a network."""
    found: dict[str, object] = {
        "admin_username": USER,
        "admin_password": credentials.admin,
        "admin_project_name": PROJECT,
        "user_domain_name": DOMAIN,
        "project_domain_name": DOMAIN,
    }
    if not credentials.demo:
        return found | {
            "username": USER,
            "password": credentials.admin,
            "project_name": PROJECT,
        }
    networks = ("fixed_network_name", "fixed_subnet_name", "network_for_ssh")
    return found | {
        "username": DEMO,
        "password": credentials.demo,
        "project_name": DEMO,
        **dict.fromkeys(networks, DEMO),
    }
