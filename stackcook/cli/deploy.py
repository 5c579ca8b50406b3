"""``stackcook deploy``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context
from stackcook.errors import ExitCode


@click.command()
@click.option("--parallel", type=click.IntRange(1), help="How many nodes at once.")
@click.pass_obj
def command(context: Context, parallel: int | None) -> ExitCode:
    """Bring up the cloud: Chef server, machines, every node in its stage, and a check of it all.

    Run it again after a failure, and it goes on; when nothing is left to do, it changes nothing.
    """
    from stackcook.cli.wiring import RealSite
    from stackcook.deploy.engine import Engine
    from stackcook.deploy.lock import exclusive
    from stackcook.deploy.state import State

    manifest = context.load(warn=True)
    site = RealSite(manifest)
    site.check()  # this and the next before anything is written
    site.reach()
    with exclusive(manifest.state, "deploy"), context.console.run() as listener:
        with State(manifest.state) as state:
            return Engine(manifest, site, (state, listener), parallel=parallel or 0).deploy()
