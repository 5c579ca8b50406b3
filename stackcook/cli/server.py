"""``stackcook server``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context
from stackcook.errors import UsageError
from stackcook.operations.chefsite import ChefSite


@click.group()
def command() -> None:
    """Start, stop or inspect the embedded Chef server."""


@command.command()
@click.pass_obj
def start(context: Context) -> None:
    """Start the server, or check that it responds if it is already running."""
    site = _site(context)
    site.machines.prepare()
    url = site.server.url
    context.console.result(f"{url} is running", {"url": url})


@command.command()
@click.pass_obj
def stop(context: Context) -> None:
    """Stop the server; its data is kept."""
    stopped = _site(context).embedded.stop()
    context.console.result(
        "the server has stopped" if stopped else "the server was not running", {"stopped": stopped}
    )


@command.command()
@click.pass_obj
def status(context: Context) -> None:
    """Show whether the server is running, its URL and its log."""
    found = _site(context).embedded.status()
    state = f"is running (process {found.pid})" if found.running else "is not running"
    data = {"running": found.running, "pid": found.pid, "url": found.url, "log": str(found.log)}
    context.console.result(f"{found.url} {state}; log: {found.log}", data)


def _site(context: Context) -> ChefSite:
    site = ChefSite(context.load())
    if site.own_server:
        raise UsageError(
            f"there is no embedded Chef server: this deployment uses {site.own_server.url}",
            where=str(context.path),
            remedy="to use the embedded one, remove the server from the manifest and from knife's "
            "configuration",
        )
    return site
