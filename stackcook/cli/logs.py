"""``stackcook logs``."""

from __future__ import annotations

import os

import click

from stackcook.cli.context import Context, node_names
from stackcook.command import find_program
from stackcook.deploy.logs import path_of
from stackcook.errors import UsageError


@click.command()
@click.argument("node", shell_complete=node_names)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.pass_obj
def command(context: Context, node: str, follow: bool) -> None:
    """Show all that was run on a node, and what it printed."""
    manifest = context.load()
    path = path_of(manifest.state, context.node(manifest, node).name)
    if not path.exists():
        raise UsageError("nothing was run on it yet", where=node, remedy="run `stackcook deploy`")
    if follow:
        os.execv(find_program("tail"), ["tail", "-n", "+1", "-F", str(path)])
    context.console.result(
        path.read_text(errors="replace").rstrip("\n"), {"node": node, "log": str(path)}
    )
