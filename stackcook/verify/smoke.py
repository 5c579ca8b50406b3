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
    limit = max(INSTANCE, patience)
    proof, visited = Proof(), Visit()
    with (
        services.Sessions(hosts, manifest.state / "known_hosts", opener=opener) as sessions,
        ThreadPoolExecutor(max_workers=WORKERS) as pool,
    ):
        run = _Run(nodes, credentials, began + patience, sessions, pool)
        on_nodes = [pool.submit(run.on_node, node) for node in nodes]
        closed = pool.submit(outside.checks, nodes, sessions)
        sharing = pool.submit(run.until_good, lambda: internal.shared_address(nodes, sessions))
        signed_in, cloud = run.tokens()
        certificates = pool.submit(run.certificates, manifest)
        agents = [pool.submit(run.agents, cloud, known)] if cloud else []
        endpoints = run.endpoints(cloud) if cloud else []
        wait(endpoints)
        others = cache(lambda: run.others(cloud))

        def ready() -> None:
            """Return once instances can boot; what they do not need is checked meanwhile."""
            wait(agents)
            others()

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
                tools=run.tools(cloud),
            )
        asked = [*on_nodes, *endpoints, *others(), *agents]
        certified = certificates.result()
        found = [*signed_in, *certified.checks]
        found += [check for each in asked for check in each.result()]
        of_firewalls, unchecked = closed.result()
        found += [*of_firewalls, *sharing.result(), *_keystone_is_missing(nodes)]
        found.sort(key=lambda check: check.name)
        if cloud and horizon:
            opened = partial(open_horizon, ca=cloud.ca)
            visited = visit(
                cloud, nodes, credentials, manifest.cloud_state, limit=limit, say=say, opener=opened
            )
        explained = pool.map(
            lambda check: sessions.explained(check, nodes, credentials.secrets),
            (*found, *proof.checks, *visited.checks),
        )
        logs = _Logs() if logs_since is None else run.logs(logs_since)
    advice = _READ_LOGS if logs_since is None else ""
    advised = (
        check if check.ok or check.remedy else replace(check, remedy=advice) for check in explained
    )
    checks = ordered((*advised, *logs.checks), [node.name for node in nodes])
    notes = (*certified.notes, *unchecked, *proof.notes, *visited.notes, *logs.notes)
    return Report(checks, time.monotonic() - began, notes, visited.screenshots)


@dataclass(frozen=True)
class _Logs:
    checks: Checks = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Run:
    """The checks of one verification, and what they share."""

    nodes: tuple[Placed, ...]
    credentials: Credentials
    deadline: float
    sessions: services.Sessions
    pool: ThreadPoolExecutor

    def until_good(self, look: Callable[[], Checks]) -> Checks:
        """The checks that ``look`` makes, once all are good, or as they are at the deadline."""
        return until_good(self.deadline, look)

    def on_node(self, node: Placed) -> Checks:
        """The checks of one node; its services are checked only if SSH reaches it."""
        reached = timed("SSH", node.name, "", lambda: self.sessions.on(node.name))
        if not reached.ok:
            return (reached,)
        if not node.converged:
            cause = "chef-client has not completed a run on this node yet"
            remedy = f"run `stackcook converge {node.name}`"
            return reached, Check("Chef", node.name, False, cause, remedy)
        if not node.services:
            return (reached,)
        remote = self.sessions.on(node.name)
        began = time.monotonic()
        try:
            seen = poll(
                self.deadline,
                lambda: services.look(remote, node),
                lambda answer: services.settled(answer, node),
                every=PAUSE,
            )
        except (NodeError, VerifyError) as error:
            return reached, Check("services", node.name, False, error.what, error.remedy)
        spent = time.monotonic() - began
        checks = (reached, *services.checks(seen, node, spent))
        if seen.units.get(OVN, {}).get("ActiveState") != "active":
            return checks

        def southbound() -> Checks:
            name = "OVN southbound connection"
            return (timed(name, node.name, OVN, lambda: services.southbound(remote)),)

        return *checks, *self.until_good(southbound)

    def tokens(self) -> tuple[Checks, Cloud | None]:
        """Whether each Keystone gives a token, and the cloud; None if none gives one."""
        return poll(self.deadline, lambda: tokens(self.nodes, self.credentials), _first_good)

    def certificates(self, manifest: Manifest) -> tls.Certificates:
        """The checks of the certificates."""
        own = bool(manifest.tls and manifest.tls.certificate)
        ca, internal_ca = self.credentials.ca, manifest.internal_ca
        return tls.look(self.nodes, ca, own, time.time(), internal_ca, self.sessions.output)

    def agents(self, cloud: Cloud, known: Collection[str]) -> Checks:
        """The checks of Nova's services and of Neutron's agents; ``known`` are more nodes."""
        wanted = openstack.in_survey(self.nodes)
        if not wanted:
            return ()
        names = {name.lower() for name in known}.union(*(node.names for node in self.nodes))

        def look() -> tuple[Checks, Checks]:
            """The checks that may still succeed, and the rest."""
            try:
                found = openstack.survey(cloud)
            except VerifyError as error:
                what = "compute nodes in Nova and Neutron"
                return (Check(what, "", False, error.what, error.remedy),), ()
            mine = (openstack.survey_checks(found, node, self.nodes) for node in wanted)
            checks = tuple(check for each in mine for check in each)
            return checks, openstack.unknown_nodes(found, names)

        mine, unknown = poll(self.deadline, look, _first_good)
        return mine + unknown

    def endpoints(self, cloud: Cloud) -> list[Future[Checks]]:
        """The check of each endpoint in the catalog, once it is done."""
        at = {node.address: node.name for node in self.nodes}

        def look(endpoint: Endpoint) -> Checks:
            name = f"endpoint {endpoint.type} {endpoint.url}"
            node, unit = at.get(endpoint.host, ""), openstack.unit(endpoint.type)
            on = running(self.nodes, unit)
            inside = [n for n in on if n.secure and endpoint.interface != "public"]

            def ask() -> None:
                if inside:
                    internal.ask(inside[0], endpoint, cloud, self.sessions, endpoint.host)
                else:
                    openstack.check_endpoint(cloud, endpoint)

            return self.until_good(lambda: (timed(name, node, unit, ask),))

        return [self.pool.submit(look, endpoint) for endpoint in openstack.distinct(cloud.catalog)]

    def others(self, cloud: Cloud | None) -> list[Future[Checks]]:
        """The checks of the queue, the database, Horizon and optional services; None: no token."""
        nodes, sessions, submit = self.nodes, self.sessions, self.pool.submit
        behind_apis = [
            submit(self.until_good, lambda: behind(nodes, self.credentials, sessions)),
            submit(self.until_good, lambda: clusters.checks(nodes, sessions)),
        ]
        if cloud is None:
            return behind_apis
        dashboards = {horizon.base(node): node for node in running(nodes, DASHBOARD)}
        return [
            *behind_apis,
            submit(cinder.checks, cloud, nodes, self.deadline),
            *(submit(self.dashboard, node) for node in dashboards.values()),
            submit(self.until_good, partial(internal.checks, nodes, cloud, sessions)),
            submit(swift.checks, cloud, nodes, sessions),
            submit(heat.checks, cloud, nodes, self.deadline),
        ]

    def dashboard(self, node: Placed) -> Checks:
        """Horizon's login page, and if that is there, the login."""
        url, ca, password = horizon.base(node), self.credentials.ca, self.credentials.admin

        def check(name: str, look: Callable[[], object]) -> Checks:
            return self.until_good(lambda: (timed(name, node.name, DASHBOARD, look),))

        (page,) = check("Horizon's login page", lambda: horizon.login_page(url, ca=ca))
        if not page.ok:
            return (page,)
        return page, *check("Horizon's login", lambda: horizon.sign_in(url, password, ca))

    def tools(self, cloud: Cloud) -> Tools:
        """What instances and their nodes are asked with."""

        def why(node: Placed, unit: str, word: str) -> str:
            return diagnosis.about(self.sessions.log(node, unit), word, self.credentials.secrets)

        return Tools(
            why=why,
            ask=lambda node, command: self.sessions.output(node.name, command),
            open_console=partial(novnc.connect, ca=cloud.ca),
        )

    def logs(self, since: float) -> _Logs:
        """What the logs of all nodes that SSH reaches have since then."""
        failures: list[Check] = []
        read: dict[str, findings.NodeLogs] = {}

        def look(node: Placed) -> None:
            try:
                remote = self.sessions.on(node.name)
            except VerifyError:
                return  # the check "SSH" reports it
            try:
                read[node.name] = findings.read(remote, since)
            except VerifyError as error:
                failures.append(Check("logs", node.name, False, error.what, error.remedy))

        for future in [self.pool.submit(look, node) for node in self.nodes]:
            future.result()
        checks, note = findings.checks(read, self.credentials.secrets)
        return _Logs((*failures, *checks), (note,))


def _first_good(found: tuple[Checks, object]) -> bool:
    """Whether the checks are good that may still succeed."""
    return all(check.ok for check in found[0])


def _keystone_is_missing(nodes: tuple[Placed, ...]) -> Checks:
    if running(nodes, KEYSTONE) or not any(node.services for node in nodes):
        return ()
    return (Check("Keystone", "", False, "no node runs Keystone", "run `stackcook converge`"),)
