"""Uses Horizon as its users do, in a browser, and takes a screenshot of each step.

The administrator looks at the hypervisors; the user ``demo`` launches an instance, looks at its log
and its console, creates a volume if the cloud has Cinder, and deletes both.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from stackcook.command import Say
from stackcook.errors import VerifyError
from stackcook.files import private_directory
from stackcook.verify.browser.pages import Horizon, open_horizon
from stackcook.verify.check import Check, Checks, timed
from stackcook.verify.clouds import DEMO
from stackcook.verify.gate import Credentials
from stackcook.verify.horizon import base
from stackcook.verify.instance import resources
from stackcook.verify.instance.proof import NO_IMAGE, alone, leftovers
from stackcook.verify.instance.resources import IMAGE, PREFIX
from stackcook.verify.openstack import USER, VOLUMES, Cloud
from stackcook.verify.placing import DASHBOARD, Placed, running

CONSOLE = "nova-novncproxy"
COMPUTE_API = "nova-api"
VOLUME_API = "cinder-api"
READY = "test-image: ready"
"""What the image prints when it has booted."""

Step = tuple[str, str, Callable[[], object]]
"""What is done, the systemd unit to blame if it fails, and the function that does it."""

Opener = Callable[[str, Path, set[str]], AbstractContextManager[Horizon]]


@dataclass(frozen=True)
class Visit:
    """What was seen, what was not checked, and the screenshots in the order of the steps."""

    checks: Checks = ()
    notes: tuple[str, ...] = ()
    screenshots: tuple[Path, ...] = ()


def visit(
    cloud: Cloud,
    nodes: Sequence[Placed],
    credentials: Credentials,
    state: Path,
    *,
    limit: float,
    say: Say = lambda line: None,
    opener: Opener = open_horizon,
) -> Visit:
    """Use the Horizon of the first node that runs it; an instance has ``limit`` seconds to boot.

    The screenshots are in ``horizon`` below ``state`` and replace those of the last visit. Failures
    are in the result; what was created is removed also after Ctrl-C, or else by the next run.
    """
    node = next(iter(running(nodes, DASHBOARD)), None)
    if node is None:
        what = "no node runs Horizon"
        remedy = "put recipe[openstack-dashboard::controller] on a node, or omit --horizon"
        return Visit((Check("Horizon in a browser", "", False, what, remedy),))
    log = _Log(nodes, node, state / "horizon")
    hosts = {endpoint.host for endpoint in cloud.catalog}.union(each.address for each in nodes)
    open_ = partial(opener, base(node), state / "chromium", hosts)
    try:
        with alone(state, limit, say):
            resources.remove(cloud)  # what a killed run has left
            try:
                say("using Horizon in a browser")
                with open_() as horizon:
                    log.follow(horizon, _as_admin(horizon, cloud, credentials.admin))
                if not credentials.demo:
                    log.notes.append(f"Horizon: the cloud has no user {DEMO} to log in as")
                    return log.visit()
                with open_() as horizon:
                    log.follow(horizon, _as_demo(horizon, cloud, credentials.demo, limit))
            finally:
                log.checks += leftovers(resources.remove(cloud))
    except VerifyError as error:
        failed = Check("Horizon in a browser", node.name, False, error.what, error.remedy)
        log.checks.append(failed)
    return log.visit()


def _as_admin(horizon: Horizon, cloud: Cloud, password: str) -> Iterator[Step]:
    def hypervisors() -> None:
        wanted = cloud.read("compute", "/os-hypervisors")["hypervisors"]
        shown = horizon.hypervisors()
        missing = {each["hypervisor_hostname"] for each in wanted}.difference(shown)
        if missing:
            raise VerifyError(f"Horizon does not list {', '.join(sorted(missing))}")

    yield f"log in as {USER}", DASHBOARD, lambda: horizon.sign_in(USER, password)
    yield "list the hypervisors", DASHBOARD, hypervisors
    yield f"log out as {USER}", DASHBOARD, horizon.sign_out


def _as_demo(horizon: Horizon, cloud: Cloud, password: str, limit: float) -> Iterator[Step]:
    volumes = cloud.has(VOLUMES)
    name = f"{PREFIX}{secrets.token_hex(3)}-horizon"
    instances = horizon.instances

    def launch() -> None:
        flavor = _flavor(cloud)
        horizon.launch(
            name, image=IMAGE, flavor=flavor, network=DEMO, volumes=volumes, seconds=limit
        )

    yield f"log in as {DEMO}", DASHBOARD, lambda: horizon.sign_in(DEMO, password)
    yield "launch an instance", COMPUTE_API, launch
    yield "console log", COMPUTE_API, lambda: instances.details(name).expect_log(READY, limit)
    yield "console", CONSOLE, lambda: instances.details(name).console()
    if volumes:
        yield "create a volume", VOLUME_API, lambda: horizon.create_volume(name, limit)
        yield "delete the volume", VOLUME_API, lambda: horizon.volumes.delete(name)
    yield "delete the instance", COMPUTE_API, lambda: instances.delete(name)
    yield f"log out as {DEMO}", DASHBOARD, horizon.sign_out


def _flavor(cloud: Cloud) -> str:
    """The name of the smallest flavor that suits the image; raises VerifyError."""
    image = resources.offer(cloud).image
    if not image:
        raise VerifyError(f"the cloud has no image `{IMAGE}`", remedy=NO_IMAGE)
    needed = resources.flavor_size(image)
    flavors = cloud.read("compute", "/flavors/detail")["flavors"]
    fit = [each for each in flavors if all(each[key] >= needed[key] for key in ("ram", "disk"))]
    if not fit:
        raise VerifyError(
            f"the cloud has no flavor with {needed['ram']} MiB of memory and {needed['disk']} GB of"
            " disk",
            remedy="declare one in the attribute openstack.resources.flavors (cookbook "
            "openstack-resources), then run `stackcook converge`",
        )
    return str(min(fit, key=lambda each: (each["ram"], each["disk"]))["name"])


@dataclass
class _Log:
    """What the steps have shown, and a screenshot after each of them."""

    nodes: Sequence[Placed]
    node: Placed
    directory: Path
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    screenshots: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def visit(self) -> Visit:
        """What there is by now."""
        return Visit(tuple(self.checks), tuple(self.notes), tuple(self.screenshots))

    def follow(self, horizon: Horizon, steps: Iterable[Step]) -> None:
        """Do one step after another until one fails."""
        steps = tuple(steps)
        for number, (name, unit, step) in enumerate(steps):
            node = next(iter(running(self.nodes, unit)), self.node)
            check = timed(f"Horizon: {name}", node.name, unit, partial(_explained, horizon, step))
            self.checks.append(check)
            self._keep(horizon, name)
            if not check.ok:
                left = ", ".join(other for other, _, _ in steps[number + 1 :])
                if left:
                    self.notes.append(f"Horizon: not checked because {name} failed: {left}")
                return

    def _keep(self, horizon: Horizon, name: str) -> None:
        file = f"{len(self.screenshots) + 1:02}-{name.replace(' ', '-')}.png"
        path = private_directory(self.directory) / file
        try:
            path.write_bytes(horizon.screenshot())
        except VerifyError as error:
            self.notes.append(f"Horizon: no screenshot of {name}: {error.what}")
        else:
            self.screenshots.append(path)


def _explained(horizon: Horizon, step: Callable[[], object]) -> None:
    """Do a step; raises VerifyError with the message that Horizon displays."""
    try:
        step()
    except VerifyError as error:
        try:
            said = horizon.alert()
        except VerifyError:  # the browser itself has failed
            raise error from None
        if not said:
            raise
        raise VerifyError(
            f"{error.what}; Horizon says: {said[:300]}", remedy=error.remedy
        ) from error
