"""``stackcook box``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context
from stackcook.cli.help import Group
from stackcook.errors import UsageError
from stackcook.machines.box import ORDINARY, warm_boxes
from stackcook.machines.factory import named_packages, vagrant_machines


@click.group(
    cls=Group,
    examples="""
    stackcook box build
    """,
)
def command() -> None:
    """Build the Vagrant boxes of the LXC machines.

    The box is an LXC container with Debian 13 and the Chef client. `deploy` builds it if needed.
    It is cached, and rebuilt only when its contents change.
    """


@command.command(
    examples="""
    stackcook box build
    # with the packages of the nodes: deploys get faster
    stackcook box build --warm
    """,
)
@click.option("--again", is_flag=True, help="Build the box even if it is in the cache.")
@click.option("--warm", is_flag=True, help="Build boxes that also have the nodes' packages.")
@click.pass_obj
def build(context: Context, again: bool, warm: bool) -> None:
    """Build the box, unless it is in the cache.

    With --warm, build a box for each set of packages that recipes of the manifest's nodes install.
    `deploy` then creates nodes from it faster. Their packages are as old as the box; --again
    renews it, and deploys no longer begin with older snapshots. Vagrant gets to know these boxes,
    too.
    """
    manifest = context.load() if warm else None
    boxes = warm_boxes(named_packages(manifest)) if manifest else {ORDINARY: []}
    if not boxes:
        what = "no recipe of the manifest's nodes names packages that it installs in any case"
        raise UsageError(what, remedy="deploy without a warm box")
    for box in boxes:
        with box.locked():
            box.build(context.console.note, again=again)
    if manifest:
        vagrant_machines(manifest).add_boxes(boxes, context.console.note)
    built = [{"name": b.name, "path": str(b.path), "nodes": nodes} for b, nodes in boxes.items()]
    shown = "\n".join("  ".join([str(box.path), *nodes]) for box, nodes in boxes.items())
    ordinary = {"name": ORDINARY.name, "path": str(ORDINARY.path)}
    context.console.result(shown, {**ordinary, "warm": built if warm else []})


@command.command(hidden=True)
@click.pass_obj
def provide(context: Context) -> None:
    """Create everything that `vagrant up` needs; called by the Vagrantfile."""
    vagrant_machines(context.load()).provide(context.console.note)
