"""``stackcook destroy``."""

from __future__ import annotations

import sys

import click

from stackcook.cli.context import Context
from stackcook.errors import ExitCode, UsageError
from stackcook.manifest.model import MachineKind, Manifest
from stackcook.operations.destroy import destroy
from stackcook.operations.site import Site
from stackcook.run.lock import exclusive


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def command(context: Context, yes: bool) -> ExitCode:
    """Remove the machines, their nodes and clients on the Chef server, and all local state.

    Your own hosts (`machines: ssh`) are not changed. After a failure, run it again.
    """
    manifest = context.load()
    if not yes and not _agreed(manifest):
        raise UsageError("nothing was destroyed")
    with exclusive(manifest.state, "destroy"), context.console.run() as listener:
        return destroy(manifest, Site(manifest), (listener,))


def _agreed(manifest: Manifest) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("cannot ask for confirmation without a terminal", remedy="add --yes")
    names = ", ".join(node.name for node in manifest.nodes)
    what = f"the machines {names} with all their data, and "
    if manifest.machines is MachineKind.SSH:
        what = f"the nodes and clients of {names} on the Chef server, and "
    return click.confirm(f"Destroy {what if names else ''}{manifest.state}?", err=True)
