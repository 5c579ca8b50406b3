"""The gate between two stages: Keystone, Placement, the message queue and the database respond.

Compute nodes that start before these would wait, fail, or restart for minutes. Each is asked as a
service would: Keystone for a token, Placement for a list, RabbitMQ for a login. The queue and the
database are asked on their nodes, because only nodes of the cloud may connect to them. Of several
controllers, each is asked.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from stackcook.addresses import bracketed
from stackcook.chef.rest.client import ChefClient
from stackcook.errors import VerifyError
from stackcook.manifest.model import Manifest
from stackcook.remote.base import Connect, Host
from stackcook.remote.ssh import connect
from stackcook.verify import internal
from stackcook.verify.check import Checks, poll, timed
from stackcook.verify.openstack import Cloud, Endpoint, check_endpoint, request, sign_in
from stackcook.verify.placing import (
    DATABASE,
    GALERA,
    KEYSTONE,
    PLACEMENT,
    QUEUE,
    Placed,
    placed,
    running,
)
from stackcook.verify.services import Sessions


@dataclass(frozen=True)
class Credentials:
    """The passwords of Keystone's admin, of the queue's user and of the user ``demo``.

    ``secrets`` are all to mask. ``os_cloud`` is the name of the admin's login in clouds.yaml;
    ``ca`` has the CA certificates that clients of the cloud need, None: the system's.
    """

    admin: str = field(repr=False)
    queue: str = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    demo: str = field(default="", repr=False)
    os_cloud: str = "stackcook"
    ca: Path | None = None


def answers(
    manifest: Manifest,
    chef: ChefClient,
    hosts: Mapping[str, Host],
    credentials: Credentials,
    *,
    only: Collection[str] = (),
    patience: float = 60.0,
    opener: Connect = connect,
) -> None:
    """Return once all four answer, on each converged node that has recorded that it runs them.

    ``only`` are the names of the nodes to look at; empty: all of the manifest's.
    Raises VerifyError after ``patience`` seconds, with each that does not and the likely cause;
    ChefServerError if the Chef server can't say who runs what.
    """
    nodes = placed(manifest, chef, only)
    deadline = time.monotonic() + patience
    with Sessions(hosts, manifest.state / "known_hosts", opener=opener) as sessions:
        bad = poll(deadline, lambda: _failing(nodes, credentials, sessions), lambda bad: not bad)
        if not bad:
            return
        explained = [sessions.explained(check, nodes, credentials.secrets) for check in bad]
    causes = "; ".join(str(replace(check, remedy="")) for check in explained)
    raise VerifyError(
        f"services that the next stage needs still do not respond after {patience:.0f} s: {causes}",
        remedy=explained[0].remedy,
    )


def auth_url(node: Placed) -> str:
    """Keystone's public URL, given a node that runs it."""
    if url := node.urls.get("identity"):
        return url
    shared = bracketed(node.virtual or node.address)
    return f"http://{shared}:{node.port(KEYSTONE, 5000)}/v3"


def behind(nodes: Iterable[Placed], credentials: Credentials, sessions: Sessions) -> Checks:
    """The checks of the message queue and the database, on each node with one."""

    def queue(node: Placed) -> None:
        port = node.port(QUEUE, 5672)
        secret = credentials.queue
        sessions.ask(node, "queue", port, node.vhost, stdin=secret, secure=node.secure)

    def base(node: Placed) -> None:
        sessions.ask(node, "database", node.port(DATABASE, 3306))

    def member(node: Placed) -> None:
        sessions.ask(node, "http", node.port(GALERA, 9200), "/")

    nodes = tuple(nodes)  # gone through several times
    return (
        *(timed("message queue", n.name, QUEUE, lambda: queue(n)) for n in running(nodes, QUEUE)),
        *(timed("database", n.name, DATABASE, lambda: base(n)) for n in running(nodes, DATABASE)),
        *(timed("Galera", n.name, DATABASE, lambda: member(n)) for n in running(nodes, GALERA)),
    )


def tokens(nodes: Iterable[Placed], credentials: Credentials) -> tuple[Checks, Cloud | None]:
    """Whether each Keystone gives a token, and the cloud as the first token shows it.

    Several controllers have one address: it is not known which of them answers.
    """
    clouds: list[Cloud] = []

    def ask(url: str) -> None:
        clouds.append(sign_in(url, credentials.admin, credentials.os_cloud, ca=credentials.ca))

    urls = {auth_url(n): "" if n.virtual else n.name for n in running(nodes, KEYSTONE)}
    checks = [
        timed("Keystone's token", name, KEYSTONE, lambda: ask(url)) for url, name in urls.items()
    ]
    return tuple(checks), clouds[0] if clouds else None


def _failing(nodes: tuple[Placed, ...], credentials: Credentials, sessions: Sessions) -> Checks:
    """The checks that fail now."""
    keystones, cloud = tokens(nodes, credentials)
    placements = (
        timed("Placement", node.name, PLACEMENT, lambda: _placement(node, cloud))
        for node in running(nodes, PLACEMENT)
        if not node.virtual and not node.secure
    )
    own = internal.checks(nodes, cloud, sessions, ("identity", "placement")) if cloud else ()
    checks = (*keystones, *placements, *own, *behind(nodes, credentials, sessions))
    return tuple(check for check in checks if not check.ok)


def _placement(node: Placed, cloud: Cloud | None) -> None:
    url = f"http://{bracketed(node.address)}:{node.port(PLACEMENT, 8778)}"
    if cloud:
        check_endpoint(cloud, Endpoint("placement", "public", url))
    else:  # it is Keystone that is to blame, and Placement may well be up
        request("GET", url)
