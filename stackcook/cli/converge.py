"""``stackcook converge``."""

from __future__ import annotations

import click

from stackcook.cli.context import (
    Context,
    ignore_option,
    login_options,
    parallel_option,
    some_nodes,
    zones_option,
)
from stackcook.cli.help import Command
from stackcook.errors import ExitCode
from stackcook.operations.batches import parse_batch
from stackcook.operations.converge import converge
from stackcook.operations.limit import limited
from stackcook.operations.site import Site
from stackcook.operations.runner import Settings
from stackcook.run.forecast import past_runs
from stackcook.run.lock import exclusive
from stackcook.run.state import State


@click.command(
    cls=Command,
    examples="""
    stackcook converge
    # one node, and all nodes of a role
    stackcook converge controller 'role[single-compute]'
    # a tenth of the nodes at a time
    stackcook converge --batch 10%
    # prove that a second run changes nothing
    stackcook converge --twice
    """,
)
@click.argument("nodes", metavar="[NODE]...", nargs=-1, shell_complete=some_nodes)
@click.option(
    "--twice", is_flag=True, help="Run it twice, and fail if the second run changes anything."
)
@click.option(
    "--batch",
    metavar="NODES|PERCENT%",
    help="Converge this many nodes of a stage at a time, one node first. If a node of a batch"
    " fails, or its services do not respond, the next batch does not begin.",
)
@zones_option
@ignore_option
@parallel_option
@login_options
@click.pass_obj
def command(
    context: Context,
    nodes: tuple[str, ...],
    twice: bool,
    batch: str | None,
    zones: tuple[str, ...],
    ignore: tuple[str, ...],
    parallel: int | None,
) -> ExitCode:
    """Run chef-client again on all nodes, or on each NODE, in the order of their stages.

    NODE is a name, a range (compute[01-10]), a pattern (compute*) or a role (role[NAME]).
    """
    size = parse_batch(batch) if batch is not None else None
    manifest = context.load_deployed("converge", lab_only=True)
    only = limited(manifest, nodes, where="", zones=zones) or frozenset()
    site = Site(manifest, context.access)
    site.reach()
    site.make_ready(context.user, only)
    past = past_runs(manifest.state, "converge")
    with exclusive(manifest.state, "converge"), context.console.run(past) as listener:
        with State(manifest.state) as state:
            settings = Settings(parallel=parallel or 0)
            return converge(
                manifest,
                site,
                (state, listener),
                only,
                twice=twice,
                batch=size,
                ignore=ignore,
                settings=settings,
            )
