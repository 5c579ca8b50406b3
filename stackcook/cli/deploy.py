"""``stackcook deploy``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stackcook.api.deployment import Ready, deploy, made_ready, preflight
from stackcook.cli.context import (
    Context,
    bundle_option,
    ignore_option,
    limit_option,
    login_options,
    parallel_option,
    zones_option,
)
from stackcook.cli.down import destroy_expired
from stackcook.cli.help import Command
from stackcook.errors import ExitCode
from stackcook.operations.site import Site
from stackcook.run.events import Listener
from stackcook.run.forecast import past_runs


def preflight_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `deploy` and `preflight` share, besides --limit."""
    options: tuple[Callable[[Any], Any], ...] = (
        click.option(
            "--take-over",
            is_flag=True,
            help="Accept hosts that belong to another Chef server or cloud: deploy replaces their"
            " /etc/chef.",
        ),
        click.option(
            "--set-hostnames",
            is_flag=True,
            help="Give new hosts the names of their nodes. Hosts that are in the cloud already keep"
            " theirs.",
        ),
        bundle_option,
        ignore_option,
        parallel_option,
        login_options,
    )
    for option in reversed(options):
        command = option(command)
    return command


anew_option = click.option(
    "--anew",
    is_flag=True,
    help="Start over instead of resuming: converge all nodes again. Use no snapshot.",
)
"""The option ``--anew``."""


@click.command(
    cls=Command,
    examples="""
    # the first time, and after each change or failure
    stackcook deploy
    # only two nodes
    stackcook deploy --limit compute1,compute2
    # only the nodes that failed
    stackcook deploy --retry-failed
    # throw away all changes since the snapshot
    stackcook deploy --reset
    # without the internet
    stackcook deploy --bundle cloud.tar
    """,
)
@limit_option()
@zones_option
@click.option("--retry-failed", is_flag=True, help="Only nodes that failed in the last deploy.")
@anew_option
@click.option(
    "--reset", is_flag=True, help="Replace the machines and all that is on them by a snapshot."
)
@click.option("--preflight-only", is_flag=True, help="The same as `stackcook preflight`.")
@preflight_options
@click.pass_obj
def command(
    context: Context,
    limit: tuple[str, ...],
    zones: tuple[str, ...],
    retry_failed: bool,
    anew: bool,
    reset: bool,
    preflight_only: bool,
    bundle: Path | None,
    take_over: bool,
    set_hostnames: bool,
    ignore: tuple[str, ...],
    parallel: int | None,
) -> ExitCode:
    """Deploy the cloud: start the Chef server and machines, converge the nodes, verify the cloud.

    After a failure, run it again: it resumes where it stopped, unless the manifest or the Chef
    repository have changed. If there is nothing to do, it changes nothing. Ctrl-C waits for the
    running steps; a second one stops them.

    If there are no machines yet, it begins with a snapshot of the cloud, if there is one; see
    `stackcook help snapshot`.
    """
    others = {
        "--limit": limit,
        "--zone": zones,
        "--retry-failed": retry_failed,
        "--anew": anew,
        "--preflight-only": preflight_only,
        "--bundle": bundle,
    }
    if reset and (wrong := [option for option, given in others.items() if given]):
        raise click.UsageError(f"--reset and {wrong[0]} cannot be combined")
    destroy_expired(context)
    ready = prepared(context, limit, bundle, zones=zones, retry_failed=retry_failed)
    if take_over:
        ignore = (*ignore, "leftover")
    if preflight_only:
        return inspect(context, ready, ignore, parallel, named=set_hostnames)
    with context.console.run(past_runs(ready.manifest.state, "deploy")) as listener:
        return deploy(
            ready,
            listener,
            anew=anew,
            reset=reset,
            ignore=ignore,
            named=set_hostnames,
            parallel=parallel or 0,
        )


def prepared(
    context: Context,
    limit: tuple[str, ...],
    bundle: Path | None,
    *,
    zones: tuple[str, ...] = (),
    retry_failed: bool = False,
) -> Ready:
    """See :func:`made_ready`."""
    return made_ready(
        context.path,
        lambda manifest, unpacked: Site(manifest, context.access, unpacked),
        limit=limit,
        zones=zones,
        retry_failed=retry_failed,
        bundle=bundle,
        user=context.user,
        say=context.console.note,
    )


def inspect(
    context: Context,
    ready: Ready,
    ignore: tuple[str, ...],
    parallel: int | None,
    listeners: tuple[Listener, ...] = (),
    *,
    named: bool,
) -> ExitCode:
    """Preflight alone. ``listeners`` get its events, too; ``named``: as for a deploy."""
    with context.console.run() as listener:
        every = (listener, *listeners)
        return preflight(ready, every, ignore=ignore, named=named, parallel=parallel or 0)
