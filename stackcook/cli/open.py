"""``stackcook open``."""

from __future__ import annotations

import os
import webbrowser

import click

from stackcook.api.record import recorded
from stackcook.cli.context import Context, zone_option
from stackcook.cli.help import Command
from stackcook.errors import UsageError
from stackcook.files import replacing
from stackcook.operations.limit import of_one_zone
from stackcook.operations.site import Site
from stackcook.report.html import render


@click.command(
    cls=Command,
    examples="""
    stackcook open horizon
    # the page of the last run
    stackcook open report
    """,
)
@zone_option
@click.argument("what", metavar="horizon|report", type=click.Choice(["horizon", "report"]))
@click.pass_obj
def command(context: Context, what: str, zone: str | None) -> None:
    """Open Horizon, or the report of the last run, in a browser.

    Without a display, print the URL only. To reach Horizon from another machine, use `stackcook
    tunnel`.
    """
    if what == "report" and zone is not None:
        raise click.UsageError("--zone is for horizon: the report is about all zones")
    url = horizon_url(context, zone) if what == "horizon" else _report(context)
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    opened = bool(display) and webbrowser.open(url)
    context.console.result(url, {"url": url, "opened": opened})


def horizon_url(context: Context, zone: str | None) -> str:
    """Where Horizon is, that of ``zone`` if there are zones; raises UsageError if there is none."""
    site = Site(of_one_zone(context.load_deployed(), zone), context.access)
    site.machines.prepare()  # the Chef server, which knows the node, may need its network
    if url := site.facts().get("Horizon"):
        return url
    raise UsageError(
        "no node runs Horizon",
        remedy="run `stackcook status` to see which nodes have converged",
    )


def _report(context: Context) -> str:
    path = context.state / "report.html"
    found = recorded(context.path)
    page = render(found.report, found.manifest)
    with replacing(path, 0o600) as file:
        file.write(page.encode())
    return path.as_uri()
