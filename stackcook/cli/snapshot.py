"""``stackcook snapshot``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from stackcook.cli.context import OUTPUT, Context
from stackcook.cli.help import Group
from stackcook.errors import ExitCode, UsageError, counted
from stackcook.operations.deploy import deploy
from stackcook.operations.site import Site
from stackcook.operations.snapshot import is_saved, store_of
from stackcook.operations.snapshot import save as save_cloud
from stackcook.report.format import ago, columns, iso
from stackcook.run.forecast import past_runs
from stackcook.run.lock import exclusive, refuse
from stackcook.run.state import State
from stackcook.snapshot import archive
from stackcook.snapshot.store import Snapshot, Store, default_directory


def _names(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The names of snapshots, for shell completion."""
    store = Store(default_directory())
    names = [each.name for each in store.all()] + [each.name for each in store.unreadable()]
    return [name for name in names if name.startswith(begun)]


_name = click.argument("name", shell_complete=_names)
_optional_name = click.argument("name", required=False, default="", shell_complete=_names)


@click.group(
    cls=Group,
    examples="""
    stackcook snapshot save
    # the next deploy begins with the snapshot
    stackcook destroy
    stackcook deploy
    """,
)
def command() -> None:
    """Save the whole cloud of the lab, and restore it in a minute.

    A snapshot has the machines' disks, the Chef server's data, keys and passwords. A deploy without
    machines begins with a snapshot by itself, unless you add --anew.
    """


@command.command(
    short_help="Save the cloud; its machines are stopped meanwhile.",
    examples="""
    stackcook snapshot save
    # keep several, each with a name
    stackcook snapshot save with-volumes
    # in CI, once for each change
    stackcook snapshot save --if-changed
    """,
)
@_optional_name
@click.option(
    "--if-changed",
    is_flag=True,
    help="Do nothing if the snapshot was saved after a deploy with the same inputs.",
)
@click.pass_obj
def save(context: Context, name: str, if_changed: bool) -> ExitCode:
    """Save the whole cloud as the snapshot NAME, by default the name of the cloud.

    The last deploy of all nodes must have succeeded. The machines are shut down, and started again
    when they are copied. A snapshot of the same name is replaced once the new one is complete.
    """
    manifest = context.load_deployed()
    refuse(manifest.state)
    site = Site(manifest)
    with exclusive(manifest.state, "snapshot save"):
        if if_changed and is_saved(manifest, site, name):
            what = f"{name or manifest.name} was saved after a deploy with the same inputs"
            context.console.result(f"nothing to do: {what}", None)
            return ExitCode.DONE
        with context.console.run() as listener:
            return save_cloud(manifest, site, (listener,), name)


@command.command(
    short_help="Replace the cloud by a snapshot of it.",
    examples="""
    stackcook snapshot restore
    stackcook snapshot restore with-volumes
    """,
)
@_optional_name
@click.pass_obj
def restore(context: Context, name: str) -> ExitCode:
    """Replace the machines, and all that is on them, by the snapshot NAME, then verify the cloud.

    Without NAME, it is the snapshot that was saved with the same manifest and Chef repository. If
    there is none, it is the newest one of this cloud, and all nodes converge. `deploy --reset` does
    the same.
    """
    manifest = context.load("deploy", warn=True)
    refuse(manifest.state)
    site = Site(manifest)
    store = store_of(site)
    if name:
        store.find(name)  # before anything is written
    site.check()
    with exclusive(manifest.state, "snapshot restore"), State(manifest.state) as state:
        with context.console.run(past_runs(manifest.state, "deploy")) as listener:
            listeners = (state, listener)
            return deploy(manifest, site, listeners, reset=True, snapshot=name)


@command.command(
    "list",
    short_help="List the snapshots of this user.",
    examples="""
    stackcook snapshot list
    """,
)
@click.pass_obj
def list_command(context: Context) -> None:
    """List the snapshots of this user: name, cloud, age, size, and which machines use it."""
    store = Store(default_directory())
    now = time.time()
    found = [(snapshot, store.users(snapshot)) for snapshot in store.all()]
    rows: list[tuple[str, ...]] = [
        (
            each.name,
            f"cloud {each.cloud}",
            counted(len(each.nodes), "node"),
            f"{each.size / 1e9:.1f} GB",
            f"saved {ago(now - each.saved)}",
            f"used by {', '.join(users)}" if users else "",
        )
        for each, users in found
    ]
    data = [_described(each) | {"used_by": list(users)} for each, users in found]
    unreadable = store.unreadable()
    rows += [(each.name, str(each.error)) for each in unreadable]
    damaged = [{"name": each.name, "error": str(each.error)} for each in unreadable]
    text = columns(rows) if rows else "there are no snapshots"
    context.console.result(text, {"snapshots": data, "unreadable": damaged})


@command.command(
    short_help="Delete a snapshot that no machine uses.",
    examples="""
    stackcook snapshot remove with-volumes
    """,
)
@_name
@click.pass_obj
def remove(context: Context, name: str) -> None:
    """Delete the snapshot NAME, unless machines use it."""
    Store(default_directory()).remove(name)
    context.console.result(f"removed {name}", {"name": name})


@command.command(
    short_help="Write a snapshot to a file.",
    examples="""
    stackcook snapshot export with-volumes cloud.snapshot
    """,
)
@_name
@click.argument("file", type=OUTPUT)
@click.option("--if-changed", is_flag=True, help="Do nothing if FILE has this snapshot already.")
@click.pass_obj
def export(context: Context, name: str, file: Path, if_changed: bool) -> None:
    """Write the snapshot NAME to FILE, for a colleague or the cache of a CI system.

    The file has all keys and passwords of the cloud: only its owner can read it (mode 0600).
    """
    store = Store(default_directory())
    with store.reading():
        snapshot = store.find(name)
        if if_changed and archive.has(file, snapshot):
            there = {"file": str(file), "size": file.stat().st_size}
            context.console.result(f"nothing to do: {file} has this snapshot already", there)
            return
        size = archive.write(snapshot, file)
    text = f"{file}: {size / 1e9:.1f} GB; it has all keys and passwords of the cloud"
    context.console.result(text, {"file": str(file), "size": size})


@command.command(
    "import",
    short_help="Add a snapshot from a file that `export` wrote.",
    examples="""
    stackcook snapshot import cloud.snapshot
    """,
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace a snapshot of the same name.")
@click.pass_obj
def import_command(context: Context, file: Path, force: bool) -> None:
    """Add the snapshot in FILE, once its checksum is right.

    Import only files of people whom you trust: their machines will run here.
    """
    store = Store(default_directory())
    with archive.opened(file) as (described, content):
        name = described.name
        if not force and name in (snapshot.name for snapshot in store.all()):
            remedy = "remove it first, or add --force to replace it"
            raise UsageError("there is a snapshot of this name already", where=name, remedy=remedy)
        with store.new(name) as directory:
            snapshot = archive.unpack(described, content, directory)
            store.complete(snapshot)
    text = f"added {name}: cloud {snapshot.cloud}, {counted(len(snapshot.nodes), 'node')}"
    context.console.result(text, {"snapshot": _described(snapshot)})


def _described(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "name": snapshot.name,
        "cloud": snapshot.cloud,
        "saved": iso(snapshot.saved),
        "version": snapshot.version,
        "size": snapshot.size,
        "nodes": {
            name: {"size": node.size, "packages": dict(node.packages)}
            for name, node in snapshot.nodes.items()
        },
    }
