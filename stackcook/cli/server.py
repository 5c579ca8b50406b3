"""``stackcook server``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stackcook.cli.context import Context
from stackcook.errors import UsageError

if TYPE_CHECKING:
    from stackcook.operations.chefsite import ChefSite as Site


@click.group()
def command() -> None:
    """Start, stop or look at the embedded Chef server."""


@command.command()
@click.pass_obj
def start(context: Context) -> None:
    """Start it; where it runs already, see that it answers."""
    site = _site(context)
    site.machines.prepare()
    url = site.server.url
    context.console.result(f"{url} answers", {"url": url})


@command.command()
@click.pass_obj
def stop(context: Context) -> None:
    """Stop it; its data stays for the next start."""
    stopped = _site(context).embedded.stop()
    context.console.result("stopped" if stopped else "it was not running", {"stopped": stopped})


@command.command()
@click.pass_obj
def status(context: Context) -> None:
    """Say whether it runs, and where."""
    found = _site(context).embedded.status()
    state = f"runs as process {found.pid}" if found.running else "does not run"
    data = {"running": found.running, "pid": found.pid, "url": found.url, "log": str(found.log)}
    context.console.result(f"{found.url} {state}; log: {found.log}", data)


def _site(context: Context) -> Site:
    from stackcook.operations.chefsite import ChefSite

    site = ChefSite(context.load())
    if site.own_server:
        raise UsageError(
            f"this manifest's Chef server is {site.own_server.url}; there is no embedded one",
            where=str(context.path),
            remedy="take chef_server out of the manifest, and what knife is configured with",
        )
    return site
