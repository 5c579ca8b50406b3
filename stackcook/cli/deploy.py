"""``stackcook deploy``."""

from __future__ import annotations

from pathlib import Path

import click

from stackcook.bundle.archive import unpack
from stackcook.cli.context import (
    Context,
    ignore_option,
    limit_option,
    login_options,
    parallel_option,
)
from stackcook.errors import ExitCode, UsageError
from stackcook.operations.bundle import adopt, restore_repository
from stackcook.operations.deploy import deploy, preflight
from stackcook.operations.limit import limited
from stackcook.operations.site import Site
from stackcook.operations.runner import Settings
from stackcook.run.lock import exclusive, refuse
from stackcook.run.record import LastDeploy, last_deploy
from stackcook.run.state import State


@click.command()
@limit_option()
@click.option("--retry-failed", is_flag=True, help="Only nodes that failed in the last deploy.")
@click.option(
    "--anew", is_flag=True, help="Start over instead of resuming: converge all nodes again."
)
@click.option(
    "--preflight-only",
    is_flag=True,
    help="Inspect all nodes, print what must be fixed on them, and change nothing on any node.",
)
@click.option(
    "--take-over",
    is_flag=True,
    help="Also deploy to hosts that belong to another Chef server or cloud.",
)
@click.option(
    "--bundle",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take everything from this file of `stackcook bundle`; ask nothing of the internet.",
)
@ignore_option
@parallel_option
@login_options
@click.pass_obj
def command(
    context: Context,
    limit: tuple[str, ...],
    retry_failed: bool,
    anew: bool,
    preflight_only: bool,
    take_over: bool,
    bundle: Path | None,
    ignore: tuple[str, ...],
    parallel: int | None,
) -> ExitCode:
    """Deploy the cloud: start the Chef server and machines, converge the nodes, verify the cloud.

    After a failure, run it again: it resumes where it stopped, unless the manifest or the Chef
    repository have changed. If there is nothing to do, it changes nothing. Ctrl-C waits for the
    running steps; a second one stops them.
    """
    unpacked = unpack(bundle) if bundle else None
    if unpacked and restore_repository(unpacked, context.path):
        context.console.note(f"copied the Chef repository of the bundle to {context.path.parent}")
    manifest = context.load("deploy", warn=True)
    ignored = (*ignore, *(["leftover"] * take_over))
    refuse(manifest.state)  # at once, not when the repository has been read
    only = limited(manifest, limit) or frozenset()
    if unpacked:
        adopt(unpacked, manifest)
    site = Site(manifest, context.access, unpacked)
    site.check()  # all this before anything is written
    site.check_providers()
    site.reach()
    site.make_ready(context.user, only)
    with exclusive(manifest.state, "deploy"), State(manifest.state) as state:
        last = last_deploy(manifest.state)
        if retry_failed:
            only = _failed(last, only)
        with context.console.run() as listener:
            settings = Settings(parallel=parallel or 0)
            listeners = (state, listener)
            if preflight_only:
                return preflight(manifest, site, listeners, only, ignore=ignored, settings=settings)
            return deploy(
                manifest,
                site,
                listeners,
                only,
                last=last,
                anew=anew,
                ignore=ignored,
                settings=settings,
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
