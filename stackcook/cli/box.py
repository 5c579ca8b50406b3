"""``stackcook box``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context
from stackcook.machines import box
from stackcook.machines.factory import vagrant_machines


@click.group()
def command() -> None:
    """Build the Vagrant box of the LXC machines.

    The box is an LXC container with Debian 13 and the Chef client. `deploy` builds it if needed.
    It is cached, and rebuilt only when its contents change.
    """


@command.command()
@click.option("--again", is_flag=True, help="Build the box even if it is in the cache.")
@click.pass_obj
def build(context: Context, again: bool) -> None:
    """Build the box, unless it is in the cache."""
    with box.locked() as directory:
        path = box.build(directory, context.console.note, again=again)
    context.console.result(str(path), {"name": box.name(), "path": str(path)})


@command.command(hidden=True)
@click.pass_obj
def provide(context: Context) -> None:
    """Create everything that `vagrant up` needs; called by the Vagrantfile."""
    vagrant_machines(context.load()).provide(context.console.note)
