"""``stackcook deploy``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stackcook.bundle.archive import remove_others
from stackcook.cli.context import (
    Context,
    bundle_option,
    ignore_option,
    limit_option,
    login_options,
    parallel_option,
)
from stackcook.cli.help import Command
from stackcook.errors import ExitCode, UsageError
from stackcook.operations.bundle import (
    adopt_box,
    adopt_cookbooks,
    opened,
    restore_repository,
)
from stackcook.operations.deploy import deploy, preflight
from stackcook.operations.limit import limited
from stackcook.operations.site import Site
from stackcook.operations.runner import Settings
from stackcook.manifest.model import Manifest
from stackcook.run.events import Listener
from stackcook.run.forecast import past_runs
from stackcook.run.lock import exclusive, refuse
from stackcook.run.record import LastDeploy, last_deploy
from stackcook.run.state import State


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
@click.option("--retry-failed", is_flag=True, help="Only nodes that failed in the last deploy.")
@click.option(
    "--anew",
    is_flag=True,
    help="Start over instead of resuming: converge all nodes again. Use no snapshot.",
)
@click.option(
    "--reset", is_flag=True, help="Replace the machines and all that is on them by a snapshot."
)
@click.option("--preflight-only", is_flag=True, help="The same as `stackcook preflight`.")
@preflight_options
@click.pass_obj
def command(
    context: Context,
    limit: tuple[str, ...],
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
        "--retry-failed": retry_failed,
        "--anew": anew,
        "--preflight-only": preflight_only,
        "--bundle": bundle,
    }
    if reset and (wrong := [option for option, given in others.items() if given]):
        raise click.UsageError(f"--reset and {wrong[0]} cannot be combined")
    manifest, site, only = made_ready(context, limit, bundle)
    if take_over:
        ignore = (*ignore, "leftover")
    if retry_failed:
        only = _failed(last_deploy(manifest.state), only)
    if preflight_only:
        return inspect(context, manifest, site, only, ignore, parallel, named=set_hostnames)
    with exclusive(manifest.state, "deploy"), State(manifest.state) as state:
        last = last_deploy(manifest.state)
        if site.bundle:
            remove_others(site.bundle)
        with context.console.run(past_runs(manifest.state, "deploy")) as listener:
            return deploy(
                manifest,
                site,
                (state, listener),
                only,
                last=last,
                anew=anew,
                ignore=ignore,
                named=set_hostnames,
                reset=reset,
                settings=Settings(parallel=parallel or 0),
            )


def made_ready(
    context: Context, limit: tuple[str, ...], bundle: Path | None
) -> tuple[Manifest, Site, frozenset[str]]:
    """The manifest, its site and the nodes of ``limit``, once nothing keeps a deploy from starting.

    Raises StackcookErrors before anything is changed.
    """
    unpacked = opened(bundle, context.state) if bundle else None
    if unpacked and restore_repository(unpacked, context.path):
        context.console.note(f"copied the Chef repository of the bundle to {context.path.parent}")
    manifest = context.load("deploy", warn=True)
    refuse(manifest.state)  # at once, not when the repository has been read
    only = limited(manifest, limit) or frozenset()
    if unpacked:
        adopt_cookbooks(unpacked, manifest)
        adopt_box(unpacked, manifest)
    site = Site(manifest, context.access, unpacked)
    site.check()  # all this before anything is written
    site.check_providers()
    site.reach()
    site.make_ready(context.user, only)
    return manifest, site, only


def inspect(
    context: Context,
    manifest: Manifest,
    site: Site,
    only: frozenset[str],
    ignore: tuple[str, ...],
    parallel: int | None,
    listeners: tuple[Listener, ...] = (),
    *,
    named: bool,
) -> ExitCode:
    """Preflight alone. ``listeners`` get its events, too; ``named``: as for a deploy."""
    with exclusive(manifest.state, "preflight"), State(manifest.state) as state:
        with context.console.run() as listener:
            settings = Settings(parallel=parallel or 0)
            every: tuple[Listener, ...] = (state, listener, *listeners)
            return preflight(
                manifest, site, every, only, ignore=ignore, named=named, settings=settings
            )


def _failed(last: LastDeploy | None, only: frozenset[str]) -> frozenset[str]:
    failed = last.failed if last else frozenset()
    if only:
        failed &= only
    if not failed:
        what = (
            "none of the selected nodes failed in the last deploy"
            if last
            else "nothing has been deployed yet"
        )
        raise UsageError(what, where="--retry-failed", remedy="omit it")
    return failed
