"""``stackcook destroy``."""

from __future__ import annotations

import click

from stackcook.api.deployment import destroy
from stackcook.bootstrap.record import Keep
from stackcook.cli.context import Context, login_options
from stackcook.cli.help import Command
from stackcook.cli.terminal import agreed
from stackcook.errors import ExitCode, StackcookError, UsageError
from stackcook.manifest.model import MachineKind, Manifest
from stackcook.operations.site import Site
from stackcook.run.lock import refuse


@click.command(
    cls=Command,
    examples="""
    # asks first
    stackcook destroy
    # in scripts
    stackcook destroy --yes
    # keep databases and images on your own hosts
    stackcook destroy --keep-data
    """,
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--keep-data",
    is_flag=True,
    help="Keep databases, images and disks of instances, in /var/lib/stackcook/data on your hosts.",
)
@click.option(
    "--keep-packages", is_flag=True, help="Only stop the services on your hosts; purge no packages."
)
@login_options
@click.pass_obj
def command(context: Context, yes: bool, keep_data: bool, keep_packages: bool) -> ExitCode:
    """Remove the machines, their nodes and clients on the Chef server, and all local state.

    Your own hosts (`machines: ssh`) are given back as they were before the first deploy: packages,
    users, services and files that came with the cloud are removed, and /etc is restored. After a
    failure, run it again.
    """
    manifest = context.load("destroy")
    hosts = manifest.machines is MachineKind.SSH
    if (keep_data or keep_packages) and not hosts:
        what = "is only for your own hosts (`machines: ssh`)"
        where = "--keep-data" if keep_data else "--keep-packages"
        raise UsageError(
            what, where=where, remedy="omit it: machines of Vagrant are deleted as a whole"
        )
    refuse(manifest.state)
    site = Site(manifest, context.access)
    if hosts and manifest.state.is_dir():
        _show(context, site)
    if not yes and not _agreed(manifest):
        raise UsageError("nothing was destroyed")
    site.make_ready(context.user)
    with context.console.run() as listener:
        return destroy(manifest, site, listener, Keep(data=keep_data, packages=keep_packages))


def _show(context: Context, site: Site) -> None:
    """What users have in the cloud, which need not answer, and which hosts are not given back."""
    for node in site.unlisted():
        context.console.note(
            f"{node} is not in the manifest any more, and its host is not given back;"
            f" `stackcook node remove {node}` does that, while the cloud is there"
        )
    try:
        for line in site.contents().lines():
            context.console.note(line)
    except StackcookError as error:
        context.console.note(f"cannot list instances, volumes and images: {error}")


def _agreed(manifest: Manifest) -> bool:
    names = ", ".join(node.name for node in manifest.nodes)
    if manifest.machines is MachineKind.SSH and names:
        return agreed(
            f"This removes the cloud {manifest.name} with all its data from {names}, and"
            f" {manifest.state}.",
            manifest.name,
        )
    what = f"the machines {names} with all their data, and " if names else ""
    return agreed(f"Destroy {what}{manifest.state}?")
