"""``stackcook down``."""

from __future__ import annotations

import time

import click

from stackcook.api.deployment import destroy
from stackcook.api.ephemeral import Ephemeral, default_directory, every, expired, find, remove
from stackcook.api.manifest import load
from stackcook.cli.context import Context
from stackcook.cli.help import Command
from stackcook.errors import ExitCode, StackcookError
from stackcook.operations.site import Site
from stackcook.report.format import ago
from stackcook.run.events import Listener
from stackcook.run.lock import in_use, refuse


def cloud_names(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """The names of ephemeral clouds, for shell completion."""
    names = (cloud.name for cloud in every(default_directory()))
    return [name for name in names if name.startswith(begun)]


@click.command(
    cls=Command,
    examples="""
    stackcook down mycloud-1f0c
    # all whose time is over, such as in a timer
    stackcook down --expired
    """,
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=cloud_names)
@click.option("--expired", "over", is_flag=True, help="All ephemeral clouds that have expired.")
@click.pass_obj
def command(context: Context, names: tuple[str, ...], over: bool) -> ExitCode:
    """Destroy ephemeral clouds with all their data, without asking.

    After a failure, run it again. For other clouds there is `stackcook destroy`.
    """
    if not names and not over:
        raise click.UsageError("name the clouds, or use --expired; `stackcook ps` lists them")
    clouds = [find(default_directory(), name) for name in dict.fromkeys(names)]
    for cloud in clouds:
        refuse(cloud.state)
    code = destroy_expired(context, without=names) if over else ExitCode.DONE
    for cloud in clouds:
        with context.console.run() as listener:
            code = _destroy(cloud, listener) or code
    return code


def _destroy(cloud: Ephemeral, listener: Listener) -> ExitCode:
    if not cloud.manifest.exists():  # killed before it was complete: it has no machines
        remove(cloud, ())
        return ExitCode.DONE
    manifest = load(cloud.manifest)
    code = destroy(manifest, Site(manifest), listener)
    if code == ExitCode.DONE:
        remove(cloud, [node.name for node in manifest.nodes])
    return code


def destroy_expired(context: Context, without: tuple[str, ...] = ()) -> ExitCode:
    """Destroy the ephemeral clouds that have expired, with a note for each, unless one is in use.

    A failure is a note, too: it must not keep the command from its own work. Returns the last code
    that is not 0.
    """
    code, now = ExitCode.DONE, time.time()
    for cloud in expired(every(default_directory()), now):
        if cloud.name in without or in_use(cloud.state):
            continue
        note = context.console.note
        note(
            f"destroying the ephemeral cloud {cloud.name}, which expired {ago(now - cloud.expires)}"
        )
        try:
            failed = _destroy(cloud, lambda event: None)
            why = f"exit code {failed}" if failed else ""
        except StackcookError as error:
            failed, why = ExitCode(error.exit_code), str(error)
        if failed:
            code = failed
            note(f"it was not destroyed ({why}); run `stackcook down {cloud.name}`")
    return code
