"""``stackcook destroy``."""

from __future__ import annotations

import sys

import click

from stackcook.cli.context import Context
from stackcook.errors import ExitCode, UsageError
from stackcook.manifest.model import MachineKind, Manifest


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def command(context: Context, yes: bool) -> ExitCode:
    """Remove the machines, their nodes and clients on the Chef server, and all local state.

    Your own hosts (`machines: ssh`) are not changed. After a failure, run it again.
    """
    from stackcook.operations.realsite import RealSite
    from stackcook.operations.destroy import destroy
    from stackcook.run.lock import exclusive

    manifest = context.load()
    if not yes and not _agreed(manifest):
        context.console.note("nothing was destroyed")
        return ExitCode.USAGE
    with exclusive(manifest.state, "destroy"), context.console.run() as listener:
        return destroy(manifest, RealSite(manifest), (listener,))


def _agreed(manifest: Manifest) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("cannot ask: no terminal", remedy="add --yes")
    names = ", ".join(node.name for node in manifest.nodes)
    what = f"the machines {names} with all that is on them"
    if manifest.machines is MachineKind.SSH:
        what = f"what the Chef server knows of {names}"
    return click.confirm(f"Destroy {what}, and {manifest.state}?", err=True)
