"""``stackcook node``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context, login_options, node_names
from stackcook.cli.help import Group
from stackcook.cli.terminal import agreed
from stackcook.errors import ExitCode, UsageError
from stackcook.operations.remove import advice, question, refuse, remove
from stackcook.operations.site import Site
from stackcook.run.lock import exclusive
from stackcook.run.lock import refuse as refuse_running


@click.group(
    cls=Group,
    examples="""
    stackcook node remove compute3
    """,
)
def command() -> None:
    """Remove a compute node from the running cloud."""


@command.command(
    "remove",
    short_help="Take a compute node out of the cloud, and give its host back.",
    examples="""
    # asks first, and refuses if it has instances
    stackcook node remove compute3
    # with the instances on it
    stackcook node remove compute3 --delete-instances
    """,
)
@click.argument("node", shell_complete=node_names)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--delete-instances", is_flag=True, help="Delete the instances on the node, with their disks."
)
@click.option("--force", is_flag=True, help="Do not ask, even if the host does not answer.")
@login_options
@click.pass_obj
def remove_command(
    context: Context, node: str, yes: bool, delete_instances: bool, force: bool
) -> ExitCode:
    """Take the compute node NODE out of the cloud, and give its host back.

    It is deleted from Nova, Placement, Neutron, OVN and the Chef server. A machine of Vagrant is
    destroyed. NODE may also be the name of a node that the manifest no longer has. After a failure,
    run it again.
    """
    manifest = context.load_deployed()
    refuse_running(manifest.state)
    zone = Site(manifest, context.access).zone_of(node)
    site = Site(manifest.zone(zone), context.access)
    leaving = site.leaving(node)
    refuse(leaving, delete_instances=delete_instances)
    # --yes does not agree to leave the host as it is
    enough = "--yes" if leaving.answers else "--force"
    if not (force or yes and leaving.answers) and not agreed(
        question(manifest, leaving), remedy=f"add {enough}"
    ):
        raise UsageError("nothing was removed")
    if leaving.listed:
        site.make_ready(context.user, {node})
    with exclusive(manifest.state, "node remove"), context.console.run() as listener:
        code = remove(manifest, site, (listener,), leaving, delete_instances=delete_instances)
    if code is ExitCode.DONE:
        for line in advice(manifest, leaving):
            context.console.note(line)
    return code
