"""Keystone over REST: a token for the admin, the catalog, and reading the services with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stackcook.errors import VerifyError
from stackcook.verify import http

if TYPE_CHECKING:
    from requests import Response

USER = "admin"
PROJECT = "admin"
DOMAIN = "Default"
REGION = "RegionOne"


@dataclass(frozen=True)
class Endpoint:
    """Where a service is reached; ``type`` is the catalog's (``compute``), ``name`` nova's own."""

    type: str
    name: str
    interface: str
    region: str
    url: str


@dataclass(frozen=True)
class Cloud:
    """A signed-in admin: its token (never shown) and the catalog that came with it."""

    token: str = field(repr=False)
    catalog: tuple[Endpoint, ...]

    def url(self, type_: str) -> str:
        """The public endpoint of a service; raises VerifyError if the catalog has none."""
        for endpoint in self.catalog:
            if endpoint.type == type_ and endpoint.interface == "public":
                return endpoint.url
        raise VerifyError(f"Keystone's catalog has no public endpoint of type {type_}")

    def get(self, url: str) -> Response:
        """GET with the token, whatever the status; raises VerifyError if nothing answers."""
        return http.request("GET", url, headers={"X-Auth-Token": self.token})

    def read(self, type_: str, path: str) -> Any:
        """The JSON of ``path`` below a service's public endpoint; anything but 200 is raised."""
        url = self.url(type_).rstrip("/") + path
        answer = self.get(url)
        if answer.status_code != 200:
            raise VerifyError(f"{url} answers {status(answer)}")
        return parsed(answer, url)


def sign_in(auth_url: str, password: str) -> Cloud:
    """Ask for the admin's token; ``auth_url`` ends in ``/v3``.

    Raises VerifyError: Keystone does not answer, refuses, or answers something else than a token.
    """
    url = f"{auth_url.rstrip('/')}/auth/tokens"
    answer = http.request("POST", url, json=_request(password))
    token = answer.headers.get("X-Subject-Token")
    if answer.status_code == 401:
        raise VerifyError(
            f"Keystone refuses the password of user {USER}",
            remedy="converge the controller: stackcook converge",
        )
    if answer.status_code != 201 or not token:
        raise VerifyError(f"{url} gives no token but {status(answer)}")
    return Cloud(token, tuple(_catalog(parsed(answer, url))))


def status(answer: Response) -> str:
    """An answer's status, and what it says of itself."""
    words = [f"{answer.status_code} {answer.reason or ''}".strip()]
    try:
        body = answer.json()
    except ValueError:
        body = None
    if isinstance(body, Mapping):
        said = next((b for b in body.values() if isinstance(b, Mapping)), body)
        message = said.get("message")
        words += [str(message)[:160]] if message else []
    return ": ".join(words)


def parsed(answer: Response, url: str) -> Any:
    """An answer's JSON; raises VerifyError if it is none."""
    try:
        return answer.json()
    except ValueError as error:
        raise VerifyError(f"{url} answers {answer.status_code}, but no JSON") from error


def _request(password: str) -> dict[str, Any]:
    domain = {"name": DOMAIN}
    user = {"name": USER, "domain": domain, "password": password}
    return {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": PROJECT, "domain": domain}},
        }
    }


def _catalog(body: Any) -> list[Endpoint]:
    try:
        return [
            Endpoint(
                service["type"],
                service.get("name", service["type"]),
                endpoint["interface"],
                endpoint.get("region", ""),
                endpoint["url"],
            )
            for service in body["token"]["catalog"]
            for endpoint in service["endpoints"]
        ]
    except (KeyError, TypeError) as error:
        raise VerifyError(f"Keystone's token has no readable catalog ({error!r})") from error
