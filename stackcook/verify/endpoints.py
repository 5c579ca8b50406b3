"""Every endpoint of the catalog: it answers, and it answers the admin.

The version document needs no token and shows that the API is up. One small list with the token
shows that the service reaches its database and trusts Keystone's tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from stackcook.errors import VerifyError
from stackcook.verify.keystone import Cloud, Endpoint, status


@dataclass(frozen=True)
class Expected:
    """What a service answers: ``versions`` are the good statuses of its endpoint's own URL.

    200 is a version document, 300 one with a choice of versions (Glance). ``listing`` is a path
    that the admin gets a 200 for; ``unit`` the systemd unit behind it.
    """

    versions: tuple[int, ...]
    listing: str
    unit: str


EXPECTED: Mapping[str, Expected] = {
    "identity": Expected((200, 300), "/projects", "keystone"),
    "image": Expected((200, 300), "/v2/images?limit=1", "glance-api"),
    "placement": Expected((200,), "/resource_providers", "placement-api"),
    "compute": Expected((200,), "/servers?limit=1", "nova-api"),
    "network": Expected((200,), "/v2.0/networks?limit=1", "neutron-api"),
}

UNKNOWN = Expected((200, 204, 300, 401), "", "")
"""A service that we don't deploy: it may want a token (401) even for its version document."""


def unit(type_: str) -> str:
    """The systemd unit behind a type of service, or ``""``."""
    return EXPECTED.get(type_, UNKNOWN).unit


def distinct(catalog: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """One endpoint for each URL: public, internal and admin are often the same."""
    return tuple({endpoint.url: endpoint for endpoint in reversed(catalog)}.values())[::-1]


def host(endpoint: Endpoint) -> str:
    """The host in an endpoint's URL."""
    return urlsplit(endpoint.url).hostname or ""


def answers(cloud: Cloud, endpoint: Endpoint) -> None:
    """Raises VerifyError if the endpoint does not answer as its service should."""
    expected = EXPECTED.get(endpoint.type, UNKNOWN)
    url = endpoint.url.rstrip("/")
    answer = cloud.get(f"{url}/")
    if answer.status_code not in expected.versions:
        raise VerifyError(f"{url}/ answers {status(answer)}")
    if not expected.listing:
        return
    if endpoint.type == "identity" and not url.endswith("/v3"):
        url += "/v3"
    answer = cloud.get(url + expected.listing)
    if answer.status_code == 401:
        raise VerifyError(
            f"{url} does not accept a token of Keystone's (401)",
            remedy=f"look at [keystone_authtoken] of {expected.unit}",
        )
    if answer.status_code != 200:
        raise VerifyError(f"{url}{expected.listing} answers {status(answer)}")
