"""``stackcook preflight``."""

from __future__ import annotations

from pathlib import Path

import click

from stackcook.cli.context import OUTPUT, Context, limit_option, zones_option
from stackcook.cli.help import Command
from stackcook.cli.deploy import inspect, prepared, preflight_options
from stackcook.errors import ExitCode
from stackcook.files import replacing
from stackcook.report import preflight as report
from stackcook.run.events import Event, Findings


@click.command(
    cls=Command,
    examples="""
    stackcook preflight
    # a page with the hardware of all hosts
    stackcook preflight --html preflight.html
    # only the new nodes, whose clocks you will set later
    stackcook preflight --limit 'compute[11-20]' \\
      --ignore clock
    """,
)
@limit_option()
@zones_option
@click.option(
    "--html",
    metavar="FILE",
    type=OUTPUT,
    help="Write a page with each host's hardware beside what its node needs.",
)
@click.option(
    "--junit",
    metavar="FILE",
    type=OUTPUT,
    help="Write JUnit XML, for CI, with a test case for each kind of finding on each host.",
)
@preflight_options
@click.pass_obj
def command(
    context: Context,
    limit: tuple[str, ...],
    zones: tuple[str, ...],
    html: Path | None,
    junit: Path | None,
    take_over: bool,
    set_hostnames: bool,
    bundle: Path | None,
    ignore: tuple[str, ...],
    parallel: int | None,
) -> ExitCode:
    """Inspect all nodes, print what must be fixed on them, and change nothing on any node.

    `deploy` and `converge` do the same before their first change. The exit code is 4 if a finding
    would stop them.
    """
    if take_over:
        ignore = (*ignore, "leftover")
    ready = prepared(context, limit, bundle, zones=zones)

    def write(event: Event) -> None:
        if not isinstance(event, Findings):
            return
        for path, render in ((html, report.page), (junit, report.junit)):
            if path:
                with replacing(path, 0o666) as file:
                    file.write(render(event, ready.manifest.name).encode())
                context.console.note(f"wrote {path}")

    return inspect(context, ready, ignore, parallel, (write,), named=set_hostnames)
