"""``stackcook down``."""

from __future__ import annotations

import click

from stackcook.api.down import destroy_expired as destroy_all_expired
from stackcook.api.down import down
from stackcook.api.ephemeral import default_directory, every, find
from stackcook.cli.context import Context
from stackcook.cli.help import Command
from stackcook.errors import ExitCode
from stackcook.operations.site import Site
from stackcook.run.lock import refuse


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
    runs = []
    try:
        for cloud in clouds:
            context.console.options = ("--cloud", cloud.name)
            with context.console.run(again=f"stackcook down {cloud.name}") as listener:
                code = down(cloud, Site, listener) or code
            if len(clouds) > 1:
                runs.append(context.console.take_data())
    finally:  # after an error as well: some are destroyed
        if context.json and len(clouds) > 1:
            context.console.result("", {"runs": [run for run in runs if run]})
    return code


def destroy_expired(context: Context, without: tuple[str, ...] = ()) -> ExitCode:
    """See :func:`stackcook.api.down.destroy_expired`."""
    return destroy_all_expired(Site, context.console.note, without)
