"""What is asked of each API: something small is listed, created and deleted.

All of it has a name that begins with ``stackcook-probe``. What a probe could not delete, or what a
killed one has left, is deleted by the next one, which finds it in the list.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from stackcook.errors import VerifyError
from stackcook.verify import horizon, swift
from stackcook.verify.openstack import (
    UNKNOWN,
    Cloud,
    Endpoint,
    distinct,
    request,
    status,
    v3,
)
from stackcook.verify.probe.client import Client, Target

NAME = "stackcook-probe"
PAGES = "dashboard"
"""What Horizon is called; it is not in the catalog."""


class Service(Protocol):
    """How one kind of API is probed; both methods raise VerifyError."""

    def probe(self, client: Client) -> None:
        """List, create and delete something."""

    def clean(self, client: Client) -> None:
        """Delete what earlier probes have left."""


@dataclass(frozen=True)
class Api:
    """An API to probe: ``cloud`` is the name of its target, ``name`` its type in the catalog."""

    cloud: str
    name: str
    url: str
    service: Service
    client: Client


@dataclass(frozen=True)
class Kind:
    """A kind of thing: ``listed`` is where it is listed, with the query.

    ``many`` is the key of the list, ``one`` that of a single thing in an answer, empty if it has
    none; with ``wrapped`` also in what is sent. ``name`` is the key of the thing's name, ``more``
    is what it has besides. With ``unique``, each needs a name of its own.
    """

    listed: str
    many: str
    one: str
    more: Mapping[str, Any] = field(default_factory=dict)
    name: str = "name"
    unique: bool = False
    wrapped: bool = True

    @property
    def _path(self) -> str:
        return self.listed.partition("?")[0]

    def probe(self, client: Client) -> None:
        """As :class:`Service`."""
        self.clean(client)
        name = f"{NAME}-{_random()}" if self.unique else NAME
        thing = {self.name: name, **self.more}
        sent = {self.one: thing} if self.one and self.wrapped else thing
        made = client.call("create", "POST", self._path, sent)
        client.delete(f"{self._path}/{(made[self.one] if self.one else made)['id']}")

    def clean(self, client: Client) -> None:
        """As :class:`Service`."""
        for each in client.call("list", "GET", self.listed)[self.many]:
            if str(each[self.name]).startswith(NAME):
                client.delete(f"{self._path}/{each['id']}", left=True)


_CREDENTIAL = Kind(
    f"/credentials?type={NAME}", "credentials", "credential", {"blob": "-"}, name="type"
)
"""It needs the ID of a user, too. Deleting one revokes no tokens, unlike most in Keystone."""

_SERVER_GROUP = Kind(
    "/os-server-groups", "server_groups", "server_group", {"policies": ["anti-affinity"]}
)
# An admin sees those of all projects: the API selects them by name.
_SECURITY_GROUP = Kind(f"/v2.0/security-groups?name={NAME}", "security_groups", "security_group")
_IMAGE = Kind(
    f"/v2/images?name={NAME}", "images", "", {"disk_format": "raw", "container_format": "bare"}
)
_QOS = Kind("/qos-specs", "qos_specs", "qos_specs", {"consumer": "back-end"}, unique=True)
_CONFIG = Kind(
    "/software_configs",
    "software_configs",
    "software_config",
    {"group": "script", "config": "-", "inputs": [], "outputs": [], "options": {}},
    wrapped=False,
)


class Placement:
    """Placement: a trait."""

    _prefix = "CUSTOM_STACKCOOK_PROBE"
    _version = "1.6"

    def probe(self, client: Client) -> None:
        """As :class:`Service`."""
        self.clean(client)
        path = f"/traits/{self._prefix}_{_random().upper()}"
        client.call("create", "PUT", path, version=self._version)
        client.delete(path, version=self._version)

    def clean(self, client: Client) -> None:
        """As :class:`Service`."""
        path = f"/traits?name=startswith:{self._prefix}"
        for name in client.call("list", "GET", path, version=self._version)["traits"]:
            client.delete(f"/traits/{name}", version=self._version)


class Swift:
    """Swift: an object, in a container that stays until the end."""

    def probe(self, client: Client) -> None:
        """As :class:`Service`."""
        self._empty(client)
        name = _random()
        self._ask(client, "create", "PUT", name, b"-")
        self._ask(client, "delete", "DELETE", name, good=(404,))

    def clean(self, client: Client) -> None:
        """As :class:`Service`; deletes the container, too."""
        self._empty(client)
        self._ask(client, "delete", "DELETE", good=(404, 409))  # 409: another probe uses it

    def _empty(self, client: Client) -> None:
        """Create the container, or empty it."""
        self._ask(client, "container", "PUT")
        for name in self._ask(client, "list", "GET").decode().split():
            self._ask(client, "delete", "DELETE", name, good=(404,))

    def _ask(
        self,
        client: Client,
        step: str,
        method: str,
        name: str = "",
        content: bytes = b"",
        good: tuple[int, ...] = (),
    ) -> bytes:
        def work(cloud: Cloud, timeout: float) -> bytes:
            url = "/".join((cloud.url("object-store").rstrip("/"), NAME, name)).rstrip("/")
            return swift.ask(cloud, method, url, content, good=good, timeout=timeout)

        return client.make(step, work)


class Keystone:
    """Keystone: a new token each time, then a credential of its user."""

    def probe(self, client: Client) -> None:
        """As :class:`Service`."""
        client.sign_in()
        more = {**_CREDENTIAL.more, "user_id": client.user}
        replace(_CREDENTIAL, more=more).probe(client)

    def clean(self, client: Client) -> None:
        """As :class:`Service`."""
        if client.user:
            _CREDENTIAL.clean(client)


class Horizon:
    """Horizon: the page for the login."""

    def probe(self, client: Client) -> None:
        """As :class:`Service`."""
        client.make(
            "page", lambda cloud, timeout: horizon.login_page(cloud.url(PAGES), timeout, cloud.ca)
        )

    def clean(self, client: Client) -> None:
        """There is nothing to delete."""


class Unknown:
    """An API that stackcook does not know: its list of versions."""

    def __init__(self, type_: str) -> None:
        self._type = type_

    def probe(self, client: Client) -> None:
        """As :class:`Service`."""

        def work(cloud: Cloud, timeout: float) -> None:
            url = cloud.url(self._type)
            headers = {"X-Auth-Token": cloud.token}
            response = request("GET", url, ca=cloud.ca, headers=headers, timeout=timeout)
            if response.status_code not in UNKNOWN.versions:
                raise VerifyError(f"{url} returned {status(response)}")

        client.make("versions", work)

    def clean(self, client: Client) -> None:
        """There is nothing to delete."""


def apis(target: Target, timeout: float) -> Iterator[Api]:
    """The APIs with public endpoints in the catalog, and Horizon; one for each URL.

    ``timeout`` is in seconds, for each request.
    """
    services: Mapping[str, Service] = {
        "identity": Keystone(),
        "compute": _SERVER_GROUP,
        "network": _SECURITY_GROUP,
        "image": _IMAGE,
        "block-storage": _QOS,
        "volumev3": _QOS,
        "orchestration": _CONFIG,
        "placement": Placement(),
        "object-store": Swift(),
        PAGES: Horizon(),
    }
    catalog = [*distinct(tuple(e for e in target.cloud.catalog if e.interface == "public"))]
    if target.dashboard:
        catalog.append(Endpoint(PAGES, "public", target.dashboard))
    number = Counter(endpoint.type for endpoint in catalog)
    for endpoint in catalog:
        type_ = endpoint.type
        name = type_ if number[type_] == 1 else f"{type_} {endpoint.host}"  # in several regions
        service = services.get(type_) or Unknown(type_)
        if type_ == "identity":
            endpoint = replace(endpoint, url=v3(endpoint.url))
        yield Api(target.name, name, endpoint.url, service, Client(target, endpoint, timeout))


def _random() -> str:
    return secrets.token_hex(4)
