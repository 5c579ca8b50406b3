"""Snapshots: saves the cloud of the lab, and finds the one that a deploy begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stackcook import __version__
from stackcook.bootstrap.base import Deploy
from stackcook.errors import ExitCode, MachineError, StackcookError, UsageError
from stackcook.machines.base import ABSENT, STOPPED
from stackcook.machines.box import ORDINARY
from stackcook.manifest.model import Manifest
from stackcook.operations.runner import Settings, run
from stackcook.operations.shared import Facts, server_steps
from stackcook.report.format import ago
from stackcook.run.events import Listener
from stackcook.run.executor import Action, Task
from stackcook.run.plan import Plan, Step
from stackcook.run.record import LastDeploy, finished_deploy
from stackcook.snapshot.store import RESTORING, SavedNode, Snapshot, Start, Store, shape_of

if TYPE_CHECKING:  # to print a plan, the libraries for SSH and OpenStack are not loaded
    from stackcook.operations.chefsite import ChefSite
    from stackcook.operations.site import Site


def store_of(site: Site | ChefSite) -> Store:
    """The snapshots of this cloud; raises UsageError if it can't have any."""
    store = site.snapshots
    if store is None:
        what = "only clouds of LXC containers with the embedded Chef server have snapshots"
        raise UsageError(what, remedy="use `machines: vagrant` and no Chef server of your own")
    return store


def save(
    manifest: Manifest,
    site: Site,
    listeners: tuple[Listener, ...],
    name: str = "",
    *,
    settings: Settings = Settings(),
) -> ExitCode:
    """Save the whole cloud as the snapshot ``name``, by default the cloud's name.

    Its machines are stopped meanwhile. Raises UsageError unless its last deploy has succeeded.
    """
    store, name = store_of(site), name or manifest.name
    nodes = [node.name for node in manifest.nodes]
    last = finished_deploy(manifest.state, nodes)
    if not nodes or last is None or (manifest.state / RESTORING).exists():
        what = "only a cloud whose last deploy of all nodes succeeded can be saved"
        raise UsageError(what, where=str(manifest.root), remedy="run `stackcook deploy` first")
    if gone := [n for n, state in site.machines.states(manifest.nodes).items() if state == ABSENT]:
        what = "the machine does not exist"
        raise UsageError(what, where=", ".join(gone), remedy="run `stackcook deploy` first")
    with store.new(name) as directory:
        made = actions(manifest, site, store, directory, name, last, settings)
        return run(save_plan(manifest), made, manifest, site, listeners, settings)


def is_saved(manifest: Manifest, site: Site, name: str = "") -> bool:
    """Whether the snapshot ``name`` was saved after a deploy with the same inputs as the last one.

    After a converge the inputs are not known, so it is not; nor if the box was built again since.
    """
    nodes = [node.name for node in manifest.nodes]
    last = finished_deploy(manifest.state, nodes)
    wanted = (name or manifest.name, last.digest if last else "", shape_of(manifest))
    renewed = site.box_renewed
    there = (each for each in store_of(site).all() if each.saved > renewed)
    return bool(wanted[1]) and wanted in ((each.name, each.digest, each.shape) for each in there)


def save_plan(manifest: Manifest) -> Plan:
    """The plan of ``snapshot save``. Pure."""
    names = ", ".join(node.name for node in manifest.nodes)
    stop = Step("stop", f"shut down {names} and stop the Chef server")
    copy = Step("copy", "copy root file systems, keys, passwords and the Chef server's data")
    network, server = server_steps(after=(copy.key,))
    start = Step("machines", f"start {names}")
    complete = Step("complete", "add the snapshot to the list", changes=False)
    wait = Step("gate", f"wait until the services on {names} respond", retry=True, changes=False)
    steps = (stop, copy, network, server, start, complete, wait)
    before = (None, *steps)
    ordered = (replace(s, after=(b.key,) if b else ()) for b, s in zip(before, steps))
    return Plan("snapshot save", tuple(ordered))


def actions(
    manifest: Manifest,
    site: Site,
    store: Store,
    directory: Path,
    name: str,
    last: LastDeploy,
    settings: Settings,
) -> dict[str, Action]:
    """What the steps of ``save`` do. If stop or copy fails, all machines are started again."""
    saved: dict[str, SavedNode] = {}
    failed: list[StackcookError] = []

    def fail(task: Task, error: StackcookError) -> str:
        failed.append(error)
        task.report(error, "")  # not raised: the steps that start the machines must follow
        return "nothing is saved; the cloud is started again"

    def stop(task: Task) -> str:
        try:
            site.shut_down()
        except StackcookError as error:
            return fail(task, error)
        return ""

    def copy(task: Task) -> str:
        if failed:
            return "skipped"
        try:
            saved.update(site.copy(directory))
        except StackcookError as error:
            return fail(task, error)
        return f"{sum(node.size for node in saved.values()) / 1e9:.1f} GB"

    def network(_: Task) -> str:
        site.machines.prepare()
        return ""

    def machines(task: Task) -> str:
        site.machines.up(manifest.nodes, task.say)
        return ""

    def complete(_: Task) -> str:
        if not saved:
            remedy = "remove the cause of the failure above, then run it again"
            raise MachineError("the snapshot was not saved", where=name, remedy=remedy)
        snapshot = Snapshot(
            directory=directory,
            name=name,
            cloud=manifest.name,
            saved=settings.clock(),
            digest=last.digest,
            deploy=last.id,
            shape=shape_of(manifest),
            version=__version__,
            box=ORDINARY.key,
            port=site.port,
            nodes=saved,
        )
        store.complete(snapshot)
        return name

    return {
        "stop": stop,
        "copy": copy,
        "network": network,
        "chef server": lambda _: site.chef_server(),
        "machines": machines,
        "complete": complete,
        "gate": lambda _: site.gate(manifest.nodes, Deploy("")),
    }


@dataclass(frozen=True)
class Wish:
    """What is asked of a deploy: ``reset`` replaces the machines, by the snapshot ``name`` if set.

    ``anew`` uses none. ``partly``: the deploy does not include all nodes, or has a bundle.
    """

    reset: bool = False
    name: str = ""
    anew: bool = False
    partly: bool = False


def start_of(
    manifest: Manifest,
    site: Site | ChefSite,
    machines: Mapping[str, str],
    digest: str,
    now: float,
    wish: Wish = Wish(),
) -> Start | None:
    """The snapshot that a deploy begins with, None if with none.

    ``machines`` are the states of all machines, ``digest`` has the checksums of the deploy's
    inputs, ``now`` is in seconds since the epoch. A restore that was interrupted is done again.
    Raises UsageError if a snapshot is needed, and there is no suitable one.
    """
    restoring = manifest.state / RESTORING
    if restoring.exists() or wish.reset:
        store, name = store_of(site), wish.name
        if restoring.exists():
            if wish.anew or wish.partly:
                what = "machines are being restored from a snapshot, which was interrupted"
                remedy = "run `stackcook deploy` to complete it, or `stackcook destroy`"
                raise UsageError(what, where=str(manifest.root), remedy=remedy)
            begun_with = restoring.read_text()
            if not name and begun_with in (each.name for each in store.all()):
                name = begun_with
        return _required(store, store.starts(manifest, digest, now), name, manifest)
    fresh = set(machines.values()) == {ABSENT} and not (manifest.state / "chef").exists()
    if not fresh or wish.anew or wish.partly or site.snapshots is None:
        return None
    renewed = site.box_renewed
    for start in site.snapshots.starts(manifest, digest, now):
        # who builds the box again wants newer packages than older snapshots have
        if start.snapshot.saved > renewed:
            return start
    return None


def _required(store: Store, starts: tuple[Start, ...], name: str, manifest: Manifest) -> Start:
    """The first start; with ``name``, the one from this snapshot. UsageError if there is none."""
    if name:
        store.find(name)
        starts = tuple(start for start in starts if start.snapshot.name == name)
        if not starts:
            what = "this snapshot is of another cloud: its name, nodes, addresses, networks or box"
            remedy = "omit the name to use a snapshot of this cloud"
            raise UsageError(f"{what} differ", where=name, remedy=remedy)
    if not starts:
        what = "there is no snapshot of this cloud"
        remedy = "run `stackcook destroy`, then `stackcook deploy`"
        raise UsageError(what, where=str(manifest.root), remedy=remedy)
    return starts[0]


def restored(facts: Facts, manifest: Manifest, start: Start) -> Facts:
    """The facts as they will be when the snapshot was restored."""
    names = frozenset(node.name for node in manifest.nodes)
    return replace(
        facts,
        machines=dict.fromkeys(names, STOPPED),
        # the Chef server of a moved cloud has another URL: its nodes register again
        registered=frozenset() if start.moved else names,
        done=names if start.same else frozenset(),
        outdated=frozenset(),
        start=start,
    )


def restore_step(start: Start) -> Step:
    """The step that replaces machines and state by those of a snapshot."""
    snapshot = start.snapshot
    of = f" of the cloud {snapshot.cloud}" if start.moved else ""
    does = f"restore the machines from the snapshot {snapshot.name}{of}, saved"
    does += f" {ago(start.now - snapshot.saved)}"
    return Step("restore", f"{does}{what_changed(start)}")


def what_changed(start: Start) -> str:
    """What is not as it was when the snapshot was saved, as the end of a sentence; may be empty."""
    if start.same:
        return ""
    names, left = start.changed[:5], len(start.changed) - 5
    more = f" and {left} more" if left > 0 else ""
    what = f"changed since: {', '.join(names)}{more}" if names else "what has changed is not known"
    at = " at their new addresses" if start.moved else ""
    return f"; {what}; all nodes converge{at}"
