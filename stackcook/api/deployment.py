"""Deploy, verify, destroy: what these commands do besides their options and what they print."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from stackcook.api import ephemeral
from stackcook.api.manifest import load
from stackcook.bootstrap.record import Keep
from stackcook.bundle.archive import Bundle, remove_others
from stackcook.command import Say
from stackcook.errors import ExitCode, UsageError
from stackcook.files import state_directory
from stackcook.machines.base import RUNNING
from stackcook.manifest.model import Manifest
from stackcook.operations import deploy as operation
from stackcook.operations.bundle import adopt_box, adopt_cookbooks, opened, restore_repository
from stackcook.operations.destroy import destroy as destroy_all
from stackcook.operations.limit import limited
from stackcook.operations.runner import Settings
from stackcook.operations.site import Site
from stackcook.remote.ready import User
from stackcook.run.events import Listener
from stackcook.run.lock import exclusive, refuse
from stackcook.run.record import LastDeploy, last_deploy
from stackcook.run.state import State
from stackcook.verify.browser.chromium import check_installed
from stackcook.verify.check import Report


@dataclass(frozen=True)
class Ready:
    """A deployment that nothing keeps from starting; ``only`` are the chosen nodes, empty: all."""

    manifest: Manifest
    site: Site
    only: frozenset[str]


def made_ready(
    path: Path,
    make_site: Callable[[Manifest, Bundle | None], Site],
    *,
    limit: Iterable[str] = (),
    zones: Collection[str] = (),
    retry_failed: bool = False,
    bundle: Path | None = None,
    user: User | None = None,
    say: Say,
) -> Ready:
    """Read and check all that a deploy needs; ``say`` gets warnings, ``user`` is asked about keys.

    With ``retry_failed``, only the nodes that failed in the last deploy. Raises StackcookErrors
    before anything is changed.
    """
    unpacked = opened(bundle, state_directory(path)) if bundle else None
    if unpacked and restore_repository(unpacked, path):
        say(f"copied the Chef repository of the bundle to {path.parent}")
    manifest = load(path, "deploy", say)
    refuse(manifest.state)  # at once, not when the repository has been read
    only = limited(manifest, limit, zones=zones) or frozenset()
    if unpacked:
        adopt_cookbooks(unpacked, manifest)
        adopt_box(unpacked, manifest)
    site = make_site(manifest, unpacked)
    site.check()  # all this before anything is written
    site.check_providers()
    site.reach()
    site.make_ready(user, only)
    if retry_failed:
        names = only or frozenset(node.name for node in manifest.nodes)
        only = _failed(last_deploy(manifest.state), names)
    return Ready(manifest, site, only)


def deploy(
    ready: Ready,
    listener: Listener,
    *,
    anew: bool = False,
    reset: bool = False,
    snapshot: str = "",
    ignore: Collection[str] = (),
    named: bool = False,
    parallel: int = 0,
) -> ExitCode:
    """Deploy, and record it; the options are those of :func:`stackcook.operations.deploy.deploy`.

    Raises UsageError if another command is running.
    """
    manifest, site = ready.manifest, ready.site
    with exclusive(manifest.state, "deploy"), State(manifest.state) as state:
        last = last_deploy(manifest.state)
        if site.bundle:
            remove_others(site.bundle)
        return operation.deploy(
            manifest,
            site,
            (state, listener),
            ready.only,
            last=last,
            anew=anew,
            reset=reset,
            snapshot=snapshot,
            ignore=ignore,
            named=named,
            settings=Settings(parallel=parallel),
        )


def preflight(
    ready: Ready,
    listeners: tuple[Listener, ...],
    *,
    ignore: Collection[str] = (),
    named: bool = False,
    parallel: int = 0,
) -> ExitCode:
    """Inspect the nodes as a deploy does, and record it. Raises as :func:`deploy` does."""
    manifest, settings = ready.manifest, Settings(parallel=parallel)
    with exclusive(manifest.state, "preflight"), State(manifest.state) as state:
        return operation.preflight(
            manifest,
            ready.site,
            (state, *listeners),
            ready.only,
            ignore=ignore,
            named=named,
            settings=settings,
        )


def _failed(last: LastDeploy | None, names: frozenset[str]) -> frozenset[str]:
    """Those of the nodes ``names`` that failed: the last deploy may have had others."""
    failed = names & last.failed if last else frozenset()
    if not failed:
        what = (
            "none of the selected nodes failed in the last deploy"
            if last
            else "nothing has been deployed yet"
        )
        raise UsageError(what, where="--retry-failed", remedy="omit it")
    return failed


def is_current(manifest: Manifest, site: Site) -> bool:
    """Whether the last deploy was of all nodes, with the same inputs, and succeeded; and all run.

    Raises as reading the Chef repository does.
    """
    last, nodes = last_deploy(manifest.state), manifest.nodes
    if last is None or last.exit_code != ExitCode.DONE:
        return False
    if not last.done.issuperset(node.name for node in nodes) or last.digest != site.digest():
        return False
    return all(state == RUNNING for state in site.machines.states(nodes).values())


def verify(
    site: Site,
    patience: float,
    *,
    zone: str = "",
    instance: bool | None = None,
    logs: bool = False,
    horizon: bool = False,
    user: User | None = None,
    say: Say,
) -> Report:
    """Check that a deployed cloud works; see :meth:`Site.verify`. ``user`` is asked about keys."""
    if horizon:
        check_installed()  # before the checks, which take a while
    site.make_ready(user)
    site.machines.prepare()  # without its network, packets would take the default route
    return site.verify(patience, zone=zone, instance=instance, logs=logs, horizon=horizon, say=say)


def destroy(manifest: Manifest, site: Site, listener: Listener, keep: Keep = Keep()) -> ExitCode:
    """Remove the cloud; ``keep`` is about hosts. Raises UsageError if a command is running.

    The directory of an ephemeral cloud is deleted, too, so that its name and its networks are free.
    """
    cloud = ephemeral.of(manifest.path)
    with ephemeral.held(cloud) if cloud else nullcontext(True) as there:
        if not there:
            return ExitCode.DONE  # by another command
        with exclusive(manifest.state, "destroy"):
            code = destroy_all(manifest, site, (listener,), keep=keep)
        if cloud and code == ExitCode.DONE:
            ephemeral.delete(cloud, [node.name for node in manifest.nodes])
    return code
