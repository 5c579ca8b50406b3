"""Runs chosen tests of Tempest against the cloud, and removes whatever that took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stackcook.errors import StackcookError, VerifyError, counted
from stackcook.files import private_directory, write_private
from stackcook.redact import Redactor
from stackcook.remote.base import Connect, Host
from stackcook.verify.check import pointing_here
from stackcook.verify.gate import Credentials, auth_url
from stackcook.verify.instance import resources
from stackcook.verify.instance.proof import alone
from stackcook.verify.openstack import REGION, Cloud, sign_in
from stackcook.verify.placing import COMPUTE, KEYSTONE, Placed, running
from stackcook.verify.services import Sessions
from stackcook.verify.tempest import culprits, ground, guideline, known, results, settings
from stackcook.verify.tempest.guideline import Component, Guideline, Verdict
from stackcook.verify.tempest.onnode import OnNode
from stackcook.verify.tempest.results import FAILED, NOT_RUN, PASSED, Outcome, Result
from stackcook.verify.tempest.selection import Listed, chosen, listed, pattern

Show = Callable[[str, str], None]
"""Takes what is being done now (``tempest``), and how far it is."""

WORKER_MEMORY = 256
"""MiB that a worker may take on its node."""

RESERVE = 512
"""MiB that stay free on this node."""

INSTANCES = 3
"""How many instances the tests of one worker have at the same time."""

MOST_TRACED = 20
"""Failed tests for which the services' logs are read."""

_LOCK = 180.0


@dataclass(frozen=True)
class Request:
    """What to run: ``smoke`` or a regular expression, or what a guideline names.

    ``keep`` leaves Tempest's packages installed on the node.
    """

    what: str = ""
    guideline: Guideline | None = None
    keep: bool = False

    def check(self) -> None:
        """Raise UsageError if the regular expression is invalid: before anything is done."""
        pattern(self.what)


@dataclass(frozen=True)
class TempestReport:
    """What the tests have shown.

    ``causes`` are what services have logged while a test failed, by its name. ``judged`` has the
    verdicts on a guideline's components. ``directory`` is where the results are kept. ``notes`` say
    what could not be removed or read.
    """

    what: str
    results: tuple[Result, ...]
    seconds: float
    workers: int
    causes: Mapping[str, str] = field(default_factory=dict)
    judged: tuple[tuple[Component, tuple[Verdict, ...]], ...] = ()
    directory: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many passed, failed, were skipped and not run."""
        return results.counts(self.results)

    @property
    def ok(self) -> bool:
        """Whether tests passed, none failed, and all that were to run did."""
        found = self.counts
        return bool(found[PASSED]) and not found[FAILED] and not found[NOT_RUN] and not self.notes


@dataclass(frozen=True)
class Deployment:
    """What a run needs to know: the cloud's nodes, how to reach them, and passwords.

    ``state`` is the cloud's directory, ``known_hosts`` has the SSH host keys of the nodes.
    """

    nodes: Sequence[Placed]
    hosts: Mapping[str, Host]
    state: Path
    known_hosts: Path
    credentials: Credentials
    opener: Connect
    region: str = REGION


def run(deployment: Deployment, request: Request, show: Show) -> TempestReport:
    """Install Tempest on the node that runs Keystone, run the tests, and remove everything.

    Also after a failure and Ctrl-C. Raises VerifyError if Tempest can't be run, NodeError if the
    node can't be reached, UsageError if no test matches.
    """
    request.check()
    keystones = running(deployment.nodes, KEYSTONE)
    if not keystones:
        raise VerifyError("no node runs Keystone", remedy="run `stackcook converge`")
    node = keystones[0]
    host = deployment.hosts.get(node.name)
    if host is None:
        what = f"the machine of {node.name} does not exist"
        raise VerifyError(what, remedy="run `stackcook deploy`")
    began = time.time()
    with (
        pointing_here(),
        alone(deployment.state, _LOCK, lambda line: show("wait", line)),
    ):
        show("prepare", "look at what the cloud offers")
        credentials = deployment.credentials
        cloud = sign_in(auth_url(node), credentials.admin, credentials.os_cloud, ca=credentials.ca)
        notes: list[str] = []
        try:
            resources.remove(cloud)  # what a killed run has left
            found = prepare(deployment, cloud, node)
            with deployment.opener(host, deployment.known_hosts) as remote:
                on_node = OnNode(remote, node.name)
                show("prepare", f"install Tempest on {node.name}")
                on_node.install()
                on_node.configure(found.config)
                outcome, matched = _selected(on_node.tests(), request)
                workers = how_many(*on_node.room(), found.instances)
                show("tempest", f"{counted(len(outcome.tests), 'test')}, {workers} at once")
                _follow(on_node, outcome, workers, show)
                directory = _kept(deployment.state, began, on_node, notes)
        finally:
            show("remove", "Tempest, and what its tests have left")
            notes += _removed(deployment, cloud, node, host, request.keep)
    with Sessions(deployment.hosts, deployment.known_hosts, opener=deployment.opener) as sessions:
        causes = culprits.find(
            outcome.failed()[:MOST_TRACED],
            deployment.nodes,
            sessions,
            deployment.credentials.secrets,
        )
    judged: tuple[tuple[Component, tuple[Verdict, ...]], ...] = ()
    if request.guideline:
        judged = tuple(
            (component, guideline.judged(component, matched, outcome))
            for component in request.guideline.components
        )
    mask = Redactor(deployment.credentials.secrets)
    return TempestReport(
        what=request.guideline.id if request.guideline else request.what,
        results=tuple(_masked(result, mask) for result in outcome.all()),
        seconds=time.time() - began,
        workers=workers,
        causes=causes,
        judged=judged,
        directory=directory,
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class Prepared:
    """The text of tempest.conf, and how many instances have room in the cloud."""

    config: str
    instances: int


def prepare(deployment: Deployment, cloud: Cloud, node: Placed) -> Prepared:
    """Look at what the cloud offers, and create images and flavors; raises VerifyError."""
    resize = _can_resize(deployment)
    features = settings.discover(
        cloud, auth_url(node), deployment.nodes, resize=resize, region=deployment.region
    )
    made = ground.create(cloud)
    config = settings.config(features, made, deployment.credentials)
    flavor = cloud.read("compute", f"/flavors/{made.flavor_alt}")["flavor"]
    return Prepared(config, room(cloud, int(flavor["ram"])))


def _can_resize(deployment: Deployment) -> bool:
    """Whether Nova may resize an instance on its own node: with several, it would need SSH."""
    computes = running(deployment.nodes, COMPUTE)
    if len(computes) != 1:
        return False
    command = "grep -Ei '^ *allow_resize_to_same_host *= *true' /etc/nova/nova.conf"
    with Sessions(deployment.hosts, deployment.known_hosts, opener=deployment.opener) as sessions:
        return bool(sessions.output(computes[0].name, command).strip())


def room(cloud: Cloud, memory: int) -> int:
    """How many instances with ``memory`` MiB each fit into the cloud, by Placement."""
    fit = 0
    for provider in cloud.read("placement", "/resource_providers")["resource_providers"]:
        path = f"/resource_providers/{provider['uuid']}"
        offered = cloud.read("placement", f"{path}/inventories")["inventories"].get("MEMORY_MB")
        if offered:
            used = cloud.read("placement", f"{path}/usages")["usages"].get("MEMORY_MB", 0)
            total = (offered["total"] - offered["reserved"]) * offered["allocation_ratio"]
            fit += max(0, int(total - used) // memory)
    return fit


def how_many(cpus: int, memory: int, instances: int) -> int:
    """How many workers run at once: by the node's CPUs and free MiB, and the cloud's room."""
    by_memory = (memory - RESERVE) // WORKER_MEMORY
    return max(1, min(cpus, by_memory, instances // INSTANCES))


def _selected(listing: str, request: Request) -> tuple[Outcome, dict[str, Listed]]:
    """The tests to run, and for a guideline which of them is meant by which ID."""
    tests = listed(listing)
    if not tests:
        raise VerifyError("Tempest lists no tests", remedy="report this as a bug of stackcook")
    if not request.guideline:
        found = chosen(tests, request.what)
        return Outcome(found, known.skipped(found)), {}
    matched = guideline.match(request.guideline.tests(), tests)
    wanted = set(matched.values())
    found = tuple(test for test in tests if test in wanted)
    return Outcome(found, known.skipped(found)), matched


def _follow(on_node: OnNode, outcome: Outcome, workers: int, show: Show) -> None:
    """Run the tests that have no result yet; raises VerifyError if none of them gets one."""
    began = time.monotonic()
    total = len(outcome.tests)
    lines = [f"{test.line}\n" for test in outcome.tests if test.name not in outcome.results]
    before = len(outcome.results)
    if not lines:
        return

    def take(line: str) -> None:
        if result := results.read(line):
            outcome.take(result)
            show("tempest", progress(outcome, total, time.monotonic() - began))

    on_node.run("".join(lines), workers, take)
    if len(outcome.results) == before:
        raise VerifyError("Tempest ended without a result", remedy=on_node.journal)


def progress(outcome: Outcome, total: int, seconds: float) -> str:
    """How far it is, and about how long the rest takes."""
    text = f"{outcome.done} of {total} tests"
    if failed := len(outcome.failed()):
        text += f", {failed} failed"
    rest = results.left(outcome.done, total, seconds)
    if rest is None:
        return text
    return f"{text}, about {max(1, round(rest / 60))} min left"


def _kept(state: Path, began: float, on_node: OnNode, notes: list[str]) -> Path:
    """Keep the subunit stream, in a directory of this run."""
    name = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(began))
    directory = private_directory(state / "tempest" / name)
    try:
        path = directory / "tempest.subunit"
        write_private(path, "")
        path.write_bytes(on_node.subunit())
    except StackcookError as error:
        notes.append(str(error))
    return directory


def _removed(
    deployment: Deployment, cloud: Cloud, node: Placed, host: Host, keep: bool
) -> list[str]:
    """Remove everything; what could not be removed, a line each."""
    notes = []
    try:
        # a new connection: the other one may be the reason why we are here
        with deployment.opener(host, deployment.known_hosts) as remote:
            OnNode(remote, node.name).remove(packages=not keep)
    except StackcookError as error:
        notes.append(f"Tempest was not removed from {node.name}, the next run does it: {error}")
    left = resources.remove(cloud)
    notes += [f"{what} was not removed: {why}" for what, why in left.items()]
    return notes


def _masked(result: Result, mask: Redactor) -> Result:
    """The result without the cloud's passwords, which a failure may quote."""
    if result.status != FAILED:
        return result
    return Result(
        result.name,
        result.status,
        mask(result.why),
        result.began,
        result.ended,
        mask(result.traceback),
    )
