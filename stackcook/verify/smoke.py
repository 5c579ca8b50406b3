"""The smoke check: the cloud works for its users, its APIs and its nodes.

All checks run at once. Those of the APIs need a token from Keystone. A failure comes with the last
error in the log of the service to blame.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cache, partial

from stackcook.command import Say
from stackcook.errors import NodeError, VerifyError
from stackcook.manifest.model import Manifest
from stackcook.remote.base import Connect, Host
from stackcook.remote.ssh import connect
from stackcook.verify import (
    cinder,
    clusters,
    diagnosis,
    heat,
    horizon,
    internal,
    openstack,
    outside,
    services,
    swift,
    tls,
)
from stackcook.verify.browser.pages import open_horizon
from stackcook.verify.browser.visit import Visit, visit
from stackcook.verify.check import (
    INSTANCE,
    Check,
    Checks,
    Report,
    ordered,
    poll,
    timed,
    until_good,
)
from stackcook.verify.gate import Credentials, behind, tokens
from stackcook.verify.instance import novnc
from stackcook.verify.instance.chain import Tools
from stackcook.verify.instance.proof import Proof, prove
from stackcook.verify.logs import findings
from stackcook.verify.openstack import Cloud, Endpoint
from stackcook.verify.placing import DASHBOARD, KEYSTONE, OVN, Placed, running

WORKERS = 32
PAUSE = 3.0
"""Seconds between two looks at a node's services: each starts programs there, as they start."""
_READ_LOGS = "run `stackcook verify --logs`, which shows the errors in the services' logs"
AFTER_DEPLOY = 180.0
"""Seconds that a fresh compute node may need until Nova and Neutron know it."""


def verify(
    manifest: Manifest,
    nodes: tuple[Placed, ...],
    hosts: Mapping[str, Host],
    credentials: Credentials,
    *,
    patience: float = 5.0,
    instance: bool | None = False,
    horizon: bool = False,
    known: Collection[str] = (),
    logs_since: float | None = None,
    say: Say = lambda line: None,
    opener: Connect = connect,
) -> Report:
    """Check everything, and repeat for ``patience`` seconds the checks of what may still come up.

    ``nodes`` are those to look at, as the Chef server knows them; ``known`` are more names of
    nodes that the cloud may have. With ``instance`` an instance is booted on each compute node;
    None: if the cloud has what it needs. With ``horizon``, Horizon is used in a browser. With
    ``logs_since``, in seconds since the epoch, the logs of the nodes are checked from then on.
    Failures are in the report, never raised.
    """
    began = time.monotonic()
    deadline = began + patience

    def why(node: Placed, unit: str, word: str) -> str:
        return diagnosis.about(sessions.log(node, unit), word, credentials.secrets)

    with (
        services.Sessions(hosts, manifest.state / "known_hosts", opener=opener) as sessions,
        ThreadPoolExecutor(max_workers=WORKERS) as pool,
    ):
        looks = [pool.submit(_on_node, node, sessions, deadline) for node in nodes]
        closed = pool.submit(outside.checks, nodes, sessions)
        sharing = pool.submit(
            until_good, deadline, lambda: internal.shared_address(nodes, sessions)
        )
        signed_in, cloud = _tokens(nodes, credentials, deadline)
        own = bool(manifest.tls and manifest.tls.certificate)
        looked = pool.submit(
            *(tls.look, nodes, credentials.ca, own, time.time()),
            manifest.internal_ca,
            sessions.output,
        )
        agents: Callable[[], Checks] = tuple
        endpoints: list[Future[Checks]] = []
        if cloud:
            agents = pool.submit(_agents, nodes, cloud, deadline, known).result
            endpoints = _endpoints(nodes, cloud, deadline, pool, sessions)
        wait(endpoints)

        @cache
        def others() -> list[Future[Checks]]:
            return _in_cloud(nodes, credentials, cloud, deadline, pool, sessions)

        def ready() -> None:
            """Return once instances can boot; what they do not need is checked meanwhile."""
            agents()
            others()

        proof = Proof()
        limit = max(INSTANCE, patience)
        if cloud and instance is not False:
            proof = prove(
                cloud,
                nodes,
                manifest.cloud_state,
                required=bool(instance),
                limit=limit,
                advice=manifest.no_external_network,
                say=say,
                ready=ready,
                tools=Tools(
                    why=why,
                    ask=lambda node, command: sessions.output(node.name, command),
                    open_console=partial(novnc.connect, ca=cloud.ca),
                ),
            )
        asked = (check for each in (*looks, *endpoints, *others()) for check in each.result())
        certificates = looked.result()
        found = [*signed_in, *certificates.checks, *asked, *agents(), *closed.result()[0]]
        found += sharing.result()
        found += _keystone_is_missing(nodes)
        found.sort(key=lambda check: check.name)
        seen = Visit()
        if cloud and horizon:
            opened = partial(open_horizon, ca=cloud.ca)
            seen = visit(
                cloud, nodes, credentials, manifest.cloud_state, limit=limit, say=say, opener=opened
            )
        explained = [
            pool.submit(sessions.explained, check, nodes, credentials.secrets)
            for check in (*found, *proof.checks, *seen.checks)
        ]
        logs = _logs(nodes, sessions, credentials, logs_since, pool)
    advice = "" if logs_since is not None else _READ_LOGS
    told = (_told(future.result(), advice) for future in explained)
    checks = ordered((*told, *logs.checks), [node.name for node in nodes])
    notes = (
        *certificates.notes,
        *closed.result()[1],
        *proof.notes,
        *seen.notes,
        *logs.notes,
    )
    return Report(checks, time.monotonic() - began, notes, seen.screenshots)


def _told(check: Check, advice: str) -> Check:
    """The check; if it has failed, it says what to do, at least the ``advice``."""
    return check if check.ok or check.remedy else replace(check, remedy=advice)


def _on_node(node: Placed, sessions: services.Sessions, deadline: float) -> Checks:
    """The checks of one node; its services are checked only if SSH reaches it."""
    reached = timed("SSH", node.name, "", lambda: sessions.on(node.name))
    if not reached.ok:
        return (reached,)
    if not node.converged:
        cause = "chef-client has not completed a run on this node yet"
        remedy = f"run `stackcook converge {node.name}`"
        return reached, Check("Chef", node.name, False, cause, remedy)
    if not node.services:
        return (reached,)
    began = time.monotonic()
    try:
        seen = poll(
            deadline,
            lambda: services.look(sessions.on(node.name), node),
            lambda answer: services.settled(answer, node),
            every=PAUSE,
        )
    except (NodeError, VerifyError) as error:
        return reached, Check("services", node.name, False, error.what, error.remedy)
    spent = time.monotonic() - began
    checks = (reached, *services.checks(seen, node, spent))
    if seen.units.get(OVN, {}).get("ActiveState") != "active":
        return checks

    def southbound() -> Check:
        name = "OVN southbound connection"
        return timed(name, node.name, OVN, lambda: services.southbound(sessions.on(node.name)))

    def good(check: Check) -> bool:
        return check.ok

    return *checks, poll(deadline, southbound, good)


def _tokens(
    nodes: tuple[Placed, ...], credentials: Credentials, deadline: float
) -> tuple[Checks, Cloud | None]:
    return poll(deadline, lambda: tokens(nodes, credentials), _first_good)


def _first_good(found: tuple[Checks, object]) -> bool:
    """Whether the checks are good that may still succeed."""
    return all(check.ok for check in found[0])


@dataclass(frozen=True)
class _Logs:
    checks: Checks = ()
    notes: tuple[str, ...] = ()


def _logs(
    nodes: tuple[Placed, ...],
    sessions: services.Sessions,
    credentials: Credentials,
    since: float | None,
    pool: ThreadPoolExecutor,
) -> _Logs:
    """What the logs of all nodes that SSH reaches have since then; None: nothing is read."""
    if since is None:
        return _Logs()
    failures: list[Check] = []
    read: dict[str, findings.NodeLogs] = {}

    def look(node: Placed, since: float) -> None:
        try:
            remote = sessions.on(node.name)
        except VerifyError:
            return  # the check "SSH" reports it
        try:
            read[node.name] = findings.read(remote, since)
        except VerifyError as error:
            failures.append(Check("logs", node.name, False, error.what, error.remedy))

    for future in [pool.submit(look, node, since) for node in nodes]:
        future.result()
    checks, note = findings.checks(read, credentials.secrets)
    return _Logs((*failures, *checks), (note,))


def _in_cloud(
    nodes: tuple[Placed, ...],
    credentials: Credentials,
    cloud: Cloud | None,
    deadline: float,
    pool: ThreadPoolExecutor,
    sessions: services.Sessions,
) -> list[Future[Checks]]:
    """The checks of the queue, the database, Horizon and optional services; None: no token."""
    behind_apis = [
        pool.submit(until_good, deadline, lambda: behind(nodes, credentials, sessions)),
        pool.submit(until_good, deadline, lambda: clusters.checks(nodes, sessions)),
    ]
    if cloud is None:
        return behind_apis
    dashboards = {horizon.base(node): node for node in running(nodes, DASHBOARD)}
    return [
        *behind_apis,
        pool.submit(cinder.checks, cloud, nodes, deadline),
        *(pool.submit(_dashboard, n, credentials, deadline) for n in dashboards.values()),
        pool.submit(until_good, deadline, partial(internal.checks, nodes, cloud, sessions)),
        pool.submit(swift.checks, cloud, nodes, sessions),
        pool.submit(heat.checks, cloud, nodes, deadline),
    ]


def _keystone_is_missing(nodes: tuple[Placed, ...]) -> Checks:
    if running(nodes, KEYSTONE) or not any(node.services for node in nodes):
        return ()
    return (Check("Keystone", "", False, "no node runs Keystone", "run `stackcook converge`"),)


def _endpoints(
    nodes: tuple[Placed, ...],
    cloud: Cloud,
    deadline: float,
    pool: ThreadPoolExecutor,
    sessions: services.Sessions,
) -> list[Future[Checks]]:
    at = {node.address: node.name for node in nodes}

    def look(endpoint: Endpoint) -> Checks:
        name = f"endpoint {endpoint.type} {endpoint.url}"
        node, unit = at.get(endpoint.host, ""), openstack.unit(endpoint.type)
        inside = [n for n in running(nodes, unit) if n.secure and endpoint.interface != "public"]

        def ask() -> None:
            if inside:
                internal.ask(inside[0], endpoint, cloud, sessions, endpoint.host)
            else:
                openstack.check_endpoint(cloud, endpoint)

        return until_good(deadline, lambda: (timed(name, node, unit, ask),))

    return [pool.submit(look, endpoint) for endpoint in openstack.distinct(cloud.catalog)]


def _agents(
    nodes: tuple[Placed, ...], cloud: Cloud, deadline: float, known: Collection[str]
) -> Checks:
    wanted = openstack.in_survey(nodes)
    names = {name.lower() for name in known}.union(*(node.names for node in nodes))

    def look() -> tuple[Checks, Checks]:
        """The checks that may still succeed, and the rest."""
        try:
            found = openstack.survey(cloud)
        except VerifyError as error:
            what = "compute nodes in Nova and Neutron"
            return (Check(what, "", False, error.what, error.remedy),), ()
        mine = [check for node in wanted for check in openstack.survey_checks(found, node, nodes)]
        return tuple(mine), openstack.unknown_nodes(found, names)

    if not wanted:
        return ()

    found = poll(deadline, look, _first_good)
    return found[0] + found[1]


def _dashboard(node: Placed, credentials: Credentials, deadline: float) -> Checks:
    url, ca, name = horizon.base(node), credentials.ca, "Horizon's login page"
    (page,) = until_good(
        deadline,
        lambda: (timed(name, node.name, DASHBOARD, lambda: horizon.login_page(url, ca=ca)),),
    )
    if not page.ok:
        return (page,)

    def sign_in() -> Checks:
        name = "Horizon's login"
        work = partial(horizon.sign_in, url, credentials.admin, ca)
        return (timed(name, node.name, DASHBOARD, work),)

    return page, *until_good(deadline, sign_in)
