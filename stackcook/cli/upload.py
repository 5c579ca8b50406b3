"""``stackcook upload``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context


@click.command()
@click.pass_obj
def command(context: Context) -> None:
    """Put cookbooks, roles, environments and data bags on the Chef server.

    Starts the embedded Chef server if there is no other, generates the passwords that are missing,
    and sends only what differs; what else the server holds stays there.
    """
    from stackcook.chef.repository import Repository
    from stackcook.chef.upload import upload
    from stackcook.cli.wiring import RealSite

    manifest = context.load()
    site = RealSite(manifest)
    site.check()
    site.reach()
    site.secrets()
    site.machines.prepare()
    result = upload(site.client, Repository.read(manifest), on_event=context.console.note)
    site.settle()
    context.console.result(f"{site.server.url}: {result}", result.data())
