"""``stackcook verify``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context
from stackcook.errors import ExitCode, VerifyError


@click.command()
@click.option(
    "--patience",
    type=click.FloatRange(0, 600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to look again at what may still be coming up.",
)
@click.pass_obj
def command(context: Context, patience: float) -> ExitCode:
    """Prove that the cloud works: Keystone, every endpoint, Horizon, agents, every service.

    Each failure comes with its node, the likely cause and the command to look further.
    """
    from stackcook.operations.realsite import RealSite
    from stackcook.report.checks import render

    manifest = context.load()
    if not manifest.state.exists():
        what = "nothing is deployed from this manifest"
        raise VerifyError(what, where=str(manifest.path), remedy="run `stackcook deploy`")
    site = RealSite(manifest)
    site.machines.prepare()  # without its network, packets to the lab would leave another way
    report = site.verify(patience)
    context.console.result(render(report), report.data())
    return ExitCode.DONE if report.ok else ExitCode.VERIFY
