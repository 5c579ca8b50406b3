"""``stackcook box``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context


@click.group()
def command() -> None:
    """Build the Vagrant box of the lab's machines.

    The box is Debian 13 with the Chef client, as an LXC container. `deploy` builds it when it is
    missing; it is kept in the cache and built again only when what it is made of changes.
    """


@command.command()
@click.option("--again", is_flag=True, help="Build it even if it is there.")
@click.pass_obj
def build(context: Context, again: bool) -> None:
    """Build the box, if it isn't in the cache."""
    from stackcook.machines import box

    with box.locked() as directory:
        path = box.build(directory, context.console.note, again=again)
    context.console.result(str(path), {"name": box.name(), "path": str(path)})


@command.command(hidden=True)
@click.pass_obj
def provide(context: Context) -> None:
    """Make all that `vagrant up` takes for granted; the Vagrantfile calls this."""
    from stackcook.machines.factory import vagrant_machines

    vagrant_machines(context.load()).provide(context.console.note)
