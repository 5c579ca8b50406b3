"""``stackcook server``."""

from __future__ import annotations

import click

from stackcook.chef.server.embedded import EmbeddedServer
from stackcook.cli.context import Context
from stackcook.cli.help import Group
from stackcook.errors import UsageError
from stackcook.manifest.model import Manifest
from stackcook.operations.chefsite import ChefSite


@click.group(
    cls=Group,
    examples="""
    stackcook server status
    """,
)
def command() -> None:
    """Start, stop or inspect the embedded Chef server."""


@command.command(
    short_help="Start the server, or check that it responds.",
    examples="""
    stackcook server start
    """,
)
@click.pass_obj
def start(context: Context) -> None:
    """Start the server, or check that it responds if it is already running."""
    site = _site(context, context.load())
    site.machines.prepare()
    url = site.server.url
    context.console.result(f"{url} is running", {"url": url})


@command.command(
    examples="""
    stackcook server stop
    """,
)
@click.pass_obj
def stop(context: Context) -> None:
    """Stop the server; its data is kept."""
    stopped = _embedded(context).stop()
    context.console.result(
        "the server has stopped" if stopped else "the server was not running", {"stopped": stopped}
    )


@command.command(
    short_help="Show whether the server is running, its URL and its log.",
    examples="""
    stackcook server status
    """,
)
@click.pass_obj
def status(context: Context) -> None:
    """Show whether the server is running, its URL and its log."""
    found = _embedded(context).status()
    state = f"is running (process {found.pid})" if found.running else "is not running"
    data = {
        "running": found.running,
        "pid": found.pid,
        "url": found.url or None,
        "log": str(found.log),
    }
    context.console.result(
        f"{found.url or 'the embedded Chef server'} {state}; log: {found.log}", data
    )


def _embedded(context: Context) -> EmbeddedServer:
    """The server, to inspect or to stop it, which needs no machines."""
    manifest = context.load()
    _site(context, manifest)
    return EmbeddedServer(manifest.state, port=manifest.server_port)


def _site(context: Context, manifest: Manifest) -> ChefSite:
    site = ChefSite(manifest)
    if site.own_server:
        raise UsageError(
            f"there is no embedded Chef server: this deployment uses {site.own_server.url}",
            where=str(context.path),
            remedy="to use the embedded one, remove the server from the manifest and from knife's "
            "configuration",
        )
    return site
