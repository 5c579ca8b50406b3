"""OpenStack over REST: a token for the admin, the endpoints of the catalog, the compute nodes."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from stackcook.errors import VerifyError
from stackcook.verify.check import Check, Checks, timed
from stackcook.verify.placing import (
    COMPUTE,
    CONDUCTOR,
    METADATA,
    OVN,
    SCHEDULER,
    Placed,
    is_among,
    running,
)

_log = logging.getLogger(__name__)

USER = "admin"
PROJECT = "admin"
DOMAIN = "Default"
REGION = "RegionOne"
VOLUMES = "block-storage"
"""Cinder's type in the catalog."""

TIMEOUT = 8.0
"""Seconds that an answer may take."""

LONG_TIMEOUT = 60.0
"""Seconds that a request may take which changes something."""

TRANSFER_TIMEOUT = 120.0
"""Seconds that a service may be silent while it gets or sends an image."""


class NoResponse(VerifyError):
    """Nothing responded to a request, or not in time."""


class Refused(VerifyError):
    """An API answered with an error; ``status`` is HTTP's."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(what)
        self.status = status


def new_session(ca: Path | None = None) -> Any:
    """A ``requests.Session`` that ignores the user's proxies and ``.netrc``.

    Over HTTPS, it accepts the CA certificates in ``ca``, None: those of the system.
    """
    session = requests.Session()
    session.trust_env = False
    session.verify = str(ca) if ca else True
    return session


def request(
    method: str,
    url: str,
    *,
    session: Any = None,
    ca: Path | None = None,
    headers: Mapping[str, str] | None = None,
    data: Mapping[str, str] | bytes | None = None,
    json: Any = None,
    timeout: float = TIMEOUT,
) -> Any:
    """The response, whatever its status; redirects are not followed.

    ``ca`` is as for :func:`new_session`, where there is no ``session``. Raises NoResponse with the
    cause if there is none; it never holds what was sent.
    """
    began, outcome = time.monotonic(), "failed"
    try:
        response = (session or new_session(ca)).request(
            method,
            url,
            headers=dict(headers or {}),
            data=data,
            json=json,
            timeout=(min(4.0, timeout), timeout),
            allow_redirects=False,
        )
        outcome = f"HTTP {response.status_code}"
        return response
    except OSError as error:  # as everything that requests raises
        raise NoResponse(f"{url} does not respond: {cause_of(error, timeout)}") from error
    finally:
        _log.debug("%s %s: %s, %.0f ms", method, url, outcome, (time.monotonic() - began) * 1000)


def cause_of(error: Exception, timeout: float) -> str:
    """Why a connection failed, in a few words."""
    text = f"{error} {error.__cause__ or ''}"
    if rejected := re.search(r"certificate verify failed: (.*?)\.? \(_ssl", text):
        return f"its certificate is rejected: {rejected[1]}"
    if "refused" in text:
        return "connection refused: is the service running?"
    if isinstance(error, TimeoutError) or "timed out" in text:
        return f"no response within {timeout:g} s"
    if "No route to host" in text or "Network is unreachable" in text:
        return "no route to host: is the machine up?"
    if "Connection aborted" in text or "reset" in text or "closed connection" in text:
        return "it closed the connection"
    return text.strip().splitlines()[0][:200]


@dataclass(frozen=True)
class Endpoint:
    """Where a service is reached; ``type`` and ``interface`` as in the catalog (``compute``)."""

    type: str
    interface: str
    url: str

    @property
    def host(self) -> str:
        """The host in the URL."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True)
class Cloud:
    """The signed-in admin: a token (never shown) and the catalog that came with it.

    ``os_cloud`` is the cloud's name in clouds.yaml, ``user`` the admin's ID. ``ca`` has the CA
    certificates that its clients need, None: the system's. ``expires`` is when the token does, by
    this machine's ``time.monotonic()``.
    """

    token: str = field(repr=False)
    catalog: tuple[Endpoint, ...]
    os_cloud: str = "stackcook"
    user: str = ""
    ca: Path | None = None
    expires: float = math.inf

    def has(self, type_: str) -> bool:
        """Whether the catalog has a public endpoint of that type."""
        return any(e.type == type_ and e.interface == "public" for e in self.catalog)

    def url(self, type_: str) -> str:
        """The public endpoint of a service; raises VerifyError if the catalog has none."""
        for endpoint in self.catalog:
            if endpoint.type == type_ and endpoint.interface == "public":
                return endpoint.url
        raise VerifyError(
            f"Keystone's catalog has no public endpoint of type {type_}",
            remedy=f"run `stackcook converge` for the node that runs {unit(type_) or 'its API'}",
        )

    def get(self, url: str) -> Any:
        """GET with the token, whatever the status; raises VerifyError if nothing answers."""
        return request("GET", url, ca=self.ca, headers={"X-Auth-Token": self.token})

    def read(self, type_: str, path: str, *, version: str = "") -> Any:
        """The JSON at ``path`` below a service's public endpoint; raises as :meth:`call` does."""
        return self.call("GET", type_, path, version=version, timeout=TIMEOUT)

    def find(self, type_: str, path: str) -> Any:
        """As :meth:`read`, but None if the service says that nothing is there (404)."""
        try:
            return self.read(type_, path)
        except Refused as error:
            if error.status != 404:
                raise
            return None

    def post(self, type_: str, path: str, body: Any, *, version: str = "") -> Any:
        """Send ``body`` as JSON; returns and raises as :meth:`call` does."""
        return self.call("POST", type_, path, body, version=version)

    def delete(self, type_: str, path: str, *, version: str = "") -> None:
        """Delete what may be gone already; raises as :meth:`call` does."""
        try:
            self.call("DELETE", type_, path, version=version)
        except Refused as error:
            if error.status != 404:
                raise

    def download(self, type_: str, path: str) -> bytes:
        """The bytes at ``path`` below a service's public endpoint; raises VerifyError."""
        url = self.url(type_).rstrip("/") + path
        headers = {"X-Auth-Token": self.token}
        response = request("GET", url, ca=self.ca, headers=headers, timeout=TRANSFER_TIMEOUT)
        if response.status_code != 200:
            raise VerifyError(f"{url} returned {status(response)}")
        return bytes(response.content)

    def upload(self, type_: str, path: str, data: bytes) -> int:
        """PUT bytes; HTTP's status, whatever it is. Raises VerifyError if nothing answers."""
        url = self.url(type_).rstrip("/") + path
        headers = {"X-Auth-Token": self.token, "Content-Type": "application/octet-stream"}
        response = request(
            "PUT", url, ca=self.ca, headers=headers, data=data, timeout=TRANSFER_TIMEOUT
        )
        return int(response.status_code)

    def call(
        self,
        method: str,
        type_: str,
        path: str,
        body: Any = None,
        *,
        version: str = "",
        timeout: float = LONG_TIMEOUT,
    ) -> Any:
        """The JSON that a service's public endpoint answers at ``path``; None without content.

        ``version`` is the service's microversion. Raises Refused with the service's message if the
        status is no success, VerifyError if nothing answers or it is no JSON.
        """
        url = self.url(type_).rstrip("/") + path
        headers = {"X-Auth-Token": self.token}
        if version:
            headers["OpenStack-API-Version"] = f"{type_} {version}"
        response = request(method, url, ca=self.ca, headers=headers, json=body, timeout=timeout)
        if response.status_code >= 300:
            asked = url if method == "GET" else f"{method} {url}"
            raise Refused(f"{asked} returned {status(response)}", response.status_code)
        return parsed(response, url) if response.content else None


def sign_in(
    auth_url: str,
    password: str,
    os_cloud: str,
    timeout: float = TIMEOUT,
    ca: Path | None = None,
) -> Cloud:
    """Get a token for the admin; ``auth_url`` ends in ``/v3``. ``ca`` is as in :class:`Cloud`.

    Raises VerifyError if Keystone does not answer, refuses, or sends no token.
    """
    url = f"{auth_url.rstrip('/')}/auth/tokens"
    began = time.monotonic()
    response = request("POST", url, ca=ca, json=_credentials(password), timeout=timeout)
    token = response.headers.get("X-Subject-Token")
    if response.status_code == 401:
        raise VerifyError(
            f"Keystone rejects the password of user {USER}",
            remedy="run `stackcook converge` for the node that runs Keystone",
        )
    if response.status_code != 201 or not token:
        raise VerifyError(f"{url} returned {status(response)}, but no token")
    catalog, user, lifetime = _in_token(parsed(response, url))
    return Cloud(token, catalog, os_cloud, user, ca, began + lifetime)


def status(response: Any) -> str:
    """A response's status and the message in its JSON."""
    words = [f"{response.status_code} {response.reason or ''}".strip()]
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, Mapping):
        errors = body.get("errors")  # Placement has a list of them
        values = errors if isinstance(errors, list) else body.values()
        error = next((value for value in values if isinstance(value, Mapping)), body)
        if message := error.get("message") or error.get("detail"):
            words.append(" ".join(str(message).split())[:240])
    return ": ".join(words)


def parsed(response: Any, url: str) -> Any:
    """A response's JSON; raises VerifyError if it has none."""
    try:
        return response.json()
    except ValueError as error:
        raise VerifyError(f"{url} returned {response.status_code}, but no JSON") from error


def _credentials(password: str) -> dict[str, Any]:
    domain = {"name": DOMAIN}
    user = {"name": USER, "domain": domain, "password": password}
    return {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": PROJECT, "domain": domain}},
        }
    }


def _in_token(body: Any) -> tuple[tuple[Endpoint, ...], str, float]:
    """The catalog, the user's ID, and for how many seconds the token is valid."""
    try:
        token = body["token"]
        catalog = (
            Endpoint(service["type"], endpoint["interface"], endpoint["url"])
            for service in token["catalog"]
            for endpoint in service["endpoints"]
        )
        return tuple(catalog), str(token["user"]["id"]), _lifetime(token)
    except (KeyError, TypeError, ValueError) as error:
        raise VerifyError(
            f"cannot read the catalog in Keystone's token ({type(error).__name__}: {error})"
        ) from error


def _lifetime(token: Mapping[str, Any]) -> float:
    """Seconds between two times of Keystone's clock: this machine's may be another one."""
    if "expires_at" not in token or "issued_at" not in token:
        return math.inf
    issued, expires = (
        datetime.fromisoformat(str(token[key]).replace("Z", "+00:00"))
        for key in ("issued_at", "expires_at")
    )
    return (expires - issued).total_seconds()


@dataclass(frozen=True)
class Expected:
    """What a service answers: ``versions`` are the good statuses of its endpoint's own URL.

    200 is a version document, 300 a choice of versions (Glance). ``listing`` is a path that the
    admin may read; ``unit`` is the systemd unit behind it. With ``at_root``, the versions are at
    the root of the endpoint's host.
    """

    versions: tuple[int, ...]
    listing: str
    unit: str
    at_root: bool = False


EXPECTED: Mapping[str, Expected] = {
    "identity": Expected((200, 300), "/projects", "keystone"),
    "image": Expected((200, 300), "/v2/images?limit=1", "glance-api"),
    "placement": Expected((200,), "/resource_providers", "placement-api"),
    "compute": Expected((200,), "/servers?limit=1", "nova-api"),
    "network": Expected((200,), "/v2.0/networks?limit=1", "neutron-api"),
    "object-store": Expected((200, 204), "?limit=1&format=json", "swift-proxy"),
    # Whether Heat accepts tokens is shown by the checks in heat.py: all its lists need an engine.
    "orchestration": Expected((300,), "", "heat-api", at_root=True),
    "block-storage": Expected((200, 300), "/volumes?limit=1", "cinder-api"),
    "volumev3": Expected((200, 300), "/volumes?limit=1", "cinder-api"),
}

UNKNOWN = Expected((200, 204, 300, 401), "", "")
"""A service that stackcook does not deploy; it may want a token (401) for its version document."""


def unit(type_: str) -> str:
    """The systemd unit behind a type of service, or ``""``."""
    return EXPECTED.get(type_, UNKNOWN).unit


def distinct(catalog: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """One endpoint for each URL: public, internal and admin are often the same."""
    return tuple({endpoint.url: endpoint for endpoint in reversed(catalog)}.values())[::-1]


def v3(url: str) -> str:
    """Keystone's URL with its version, which the catalog may leave out."""
    url = url.rstrip("/")
    return url if url.endswith("/v3") else f"{url}/v3"


def check_endpoint(cloud: Cloud, endpoint: Endpoint) -> None:
    """Raise VerifyError unless the endpoint answers as its service should.

    The version document shows that the API is up; a short list, read with the token, that the
    service reaches its database and accepts Keystone's tokens.
    """
    expected = EXPECTED.get(endpoint.type, UNKNOWN)
    url = endpoint.url.rstrip("/")
    versions = urljoin(url, "/") if expected.at_root else f"{url}/"
    response = cloud.get(versions)
    if response.status_code not in expected.versions:
        raise VerifyError(f"{versions} returned {status(response)}")
    if not expected.listing:
        return
    if endpoint.type == "identity":
        url = v3(url)
    response = cloud.get(url + expected.listing)
    if response.status_code == 401:
        raise VerifyError(
            f"{url} does not accept Keystone's token (401)",
            remedy=f"check [keystone_authtoken] in the configuration of {expected.unit}",
        )
    if response.status_code != 200:
        raise VerifyError(f"{url}{expected.listing} returned {status(response)}")


Entries = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Survey:
    """What the APIs list: Nova's services and hypervisors, Neutron's agents.

    ``os_cloud`` is the cloud's name in clouds.yaml.
    """

    services: Entries
    hypervisors: Entries
    agents: Entries
    os_cloud: str


def in_survey(nodes: Iterable[Placed]) -> tuple[Placed, ...]:
    """The nodes that should be in a survey."""
    units = (SCHEDULER, CONDUCTOR, COMPUTE, OVN, METADATA)
    return tuple(node for node in nodes if any(node.service(unit) for unit in units))


def survey(cloud: Cloud) -> Survey:
    """Ask Nova and Neutron for all nodes; raises VerifyError.

    Worth repeating if something is missing: Nova looks for new hosts every 30 s, and an agent
    counts as alive after its first report.
    """
    # As of 2.53 with the UUIDs by which OpenStack's client deletes services.
    services = cloud.read("compute", "/os-services", version="2.53")
    hypervisors = cloud.read("compute", "/os-hypervisors")
    agents = cloud.read("network", "/v2.0/agents")
    return Survey(
        tuple(services.get("services", ())),
        tuple(hypervisors.get("hypervisors", ())),
        tuple(agents.get("agents", ())),
        cloud.os_cloud,
    )


def survey_checks(found: Survey, node: Placed, others: Iterable[Placed] = ()) -> Checks:
    """The checks of one node: of Nova's services and of the OVN agents, where it runs them.

    Each must be there once, and be none of the ``others``'.
    """
    others = tuple(others)  # gone through several times
    looks = (
        ("its own host name", "", lambda: _distinct(node, others)),
        ("nova-scheduler in Nova", SCHEDULER, lambda: _nova(found, node, SCHEDULER)),
        ("nova-conductor in Nova", CONDUCTOR, lambda: _nova(found, node, CONDUCTOR)),
        ("nova-compute in Nova", COMPUTE, lambda: _nova_compute(found, node, others)),
        ("OVN controller agent", OVN, lambda: _agent(found, node, "OVN Controller")),
        ("OVN metadata agent", METADATA, lambda: _agent(found, node, "OVN Metadata")),
    )
    return tuple(
        timed(name, node.name, unit, look)
        for name, unit, look in looks
        if not unit or node.service(unit)
    )


def unknown_nodes(found: Survey, names: Collection[str]) -> Checks:
    """A failed check for each host that the cloud has, but which is none of ``names``.

    If there is none, one check that says so.
    """
    has: dict[str, list[str]] = {}
    for kind, entries in (
        ("service", found.services),
        ("hypervisor", found.hypervisors),
        ("agent", found.agents),
    ):
        for entry in entries:
            host = _host(kind, entry)
            if is_among(host, names):
                continue
            short = host.split(".")[0]
            has.setdefault(short, []).append(_entry(kind, entry)[0])
    checks = [
        Check(
            f"unknown compute node {host}",
            "",
            False,
            f"it is not in the manifest, but the cloud has its {', '.join(what)}",
            f"add it to the manifest, or run `stackcook node remove {host}`",
        )
        for host, what in sorted(has.items())
    ]
    return tuple(checks) or (Check("no compute node but those of the manifest", "", True),)


def _host(kind: str, entry: Mapping[str, Any]) -> str:
    """The host that an entry of the survey is about."""
    return str(entry.get("hypervisor_hostname" if kind == "hypervisor" else "host", ""))


def _entry(kind: str, entry: Mapping[str, Any]) -> tuple[str, str]:
    """What an entry of the survey is, and the client's words that remove it."""
    if kind == "service":
        return (
            f"{entry.get('binary')} ({entry.get('state')})",
            f"compute service delete {entry.get('id')}",
        )
    if kind == "hypervisor":
        return "hypervisor", ""  # which is removed with its service
    state = "alive" if entry.get("alive") else "dead"
    return f"{entry.get('agent_type')} ({state})", f"network agent delete {entry.get('id')}"


def _distinct(node: Placed, others: Iterable[Placed]) -> None:
    """Raise VerifyError if OpenStack can't tell the node from another one."""
    for other in others:
        if other.name != node.name and (same := node.names & other.names):
            raise VerifyError(
                f"node {other.name} has the same host name, {', '.join(sorted(same))}: Nova and "
                "Neutron take both for one",
                remedy="give each machine its own host name, then run `stackcook converge`",
            )


def _nova(found: Survey, node: Placed, binary: str) -> Mapping[str, Any]:
    """Nova's service of that name on a node; raises VerifyError if it is not up."""
    services = (each for each in found.services if each.get("binary") == binary)
    service = _only("service", services, node, found.os_cloud)
    if service is None:
        raise VerifyError(f"{binary} on this host is not in Nova yet")
    if service.get("state") != "up":
        since = service.get("updated_at") or "never"
        raise VerifyError(f"Nova lists it as {service.get('state')} (last report: {since})")
    return service


def _nova_compute(found: Survey, node: Placed, others: Iterable[Placed]) -> None:
    service = _nova(found, node, COMPUTE)
    if service.get("status") != "enabled":
        raise VerifyError(
            f"it is disabled in Nova ({why_disabled(service)})",
            remedy=how_to_enable(service, found.os_cloud),
        )
    if _only("hypervisor", found.hypervisors, node, found.os_cloud):
        return
    remedy = ""
    for controller in running(others, CONDUCTOR)[:1]:
        discover = "sudo -u nova nova-manage cell_v2 discover_hosts --by-service"
        remedy = f"add it with `stackcook ssh {controller.name} -- {discover}`"
    raise VerifyError("nova-compute is up, but its host is not in a cell yet", remedy=remedy)


def why_disabled(service: Mapping[str, Any]) -> str:
    """The reason that Nova gives for a disabled nova-compute."""
    return str(service.get("disabled_reason") or "no reason given")


def how_to_enable(service: Mapping[str, Any], os_cloud: str) -> str:
    """The command that enables a nova-compute; none where Nova does so once libvirt responds."""
    if why_disabled(service).startswith("AUTO:"):
        return ""
    client = f"openstack --os-cloud {os_cloud} compute service set"
    return f"enable it with `{client} --enable {service['host']} {COMPUTE}`"


def _agent(found: Survey, node: Placed, kind: str) -> None:
    # An agent that may be a gateway has another type: "OVN Controller Gateway agent".
    agents = (a for a in found.agents if str(a.get("agent_type", "")).startswith(kind))
    agent = _only("agent", agents, node, found.os_cloud)
    if agent is None:
        raise VerifyError(f"the {kind} agent on this host is not in Neutron yet")
    if not agent.get("alive"):
        raise VerifyError(
            f"Neutron lists it as dead (last report: {agent.get('heartbeat_timestamp')})"
        )


def _only(
    kind: str, entries: Iterable[Mapping[str, Any]], node: Placed, os_cloud: str
) -> Mapping[str, Any] | None:
    """The entry of a node; None if there is none. Raises VerifyError if there are several."""
    mine = [entry for entry in entries if node.is_called(_host(kind, entry))]
    if len(mine) <= 1:
        return mine[0] if mine else None
    described = [(_host(kind, entry), *_entry(kind, entry)) for entry in mine]
    listed = ", ".join(f"{what} on {host}" for host, what, _ in described)
    client = f"openstack --os-cloud {os_cloud}"
    commands = " or ".join(f"`{client} {removes}`" for _, _, removes in described if removes)
    raise VerifyError(
        f"this node is {len(mine)} times in OpenStack: {listed}",
        remedy=commands and f"remove the outdated one: {commands}",
    )
