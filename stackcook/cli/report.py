"""``stackcook report``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from stackcook.api.record import recorded, recorded_runs
from stackcook.cli.context import OUTPUT, Context
from stackcook.cli.help import Command
from stackcook.errors import UsageError
from stackcook.files import replacing, state_directory
from stackcook.manifest.model import Manifest
from stackcook.report import data, text
from stackcook.report.format import when
from stackcook.report.html import render as page
from stackcook.report.junit import render as document
from stackcook.report.run import RunReport
from stackcook.run.history import Run, runs


def _completed(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """The runs whose numbers begin with ``begun``, the latest first, for shell completion."""
    path: Path = ctx.find_root().params["path"]
    known: tuple[Run, ...] = ()
    with suppress(UsageError):  # a broken record, of which `report` itself complains
        known = runs(state_directory(path))
    return [
        CompletionItem(str(run.id), help=f"{run.command}, {when(run.started)}")
        for run in reversed(known)
        if str(run.id).startswith(begun)
    ]


@click.command(
    cls=Command,
    examples="""
    # the last run
    stackcook report
    # all runs, then one of them
    stackcook report --list
    stackcook report --run 3
    # a page to share, and a file for a bug report
    stackcook report --html run.html --bundle run.tar.gz
    """,
)
@click.option(
    "--run",
    "wanted",
    metavar="ID",
    shell_complete=_completed,
    help="Number of a run, or ID of a deploy; the default is the last run.",
)
@click.option("--list", "listing", is_flag=True, help="List all runs.")
@click.option("--html", metavar="FILE", type=OUTPUT, help="Write a self-contained HTML page.")
@click.option("--junit", metavar="FILE", type=OUTPUT, help="Write JUnit XML, for CI.")
@click.option("--bundle", metavar="FILE", type=OUTPUT, help="Write a tar.gz for a bug report.")
@click.pass_obj
def command(
    context: Context,
    wanted: str | None,
    listing: bool,
    html: Path | None,
    junit: Path | None,
    bundle: Path | None,
) -> None:
    """Show what the last run did, what failed and why, and which steps were slow.

    Passwords, keys and anything that looks like one are replaced with ****. The bundle contains the
    report, the logs of the nodes, the manifest, and the versions of stackcook and its tools.
    """
    if listing and (wanted or html or junit or bundle):
        raise click.UsageError("--list can only be combined with --json")
    if listing:
        known, running = recorded_runs(context.path)
        context.console.result(text.listed(known, running), data.runs_data(known, running))
        return
    found = recorded(context.path, wanted)
    report = found.report
    written = [*_files(report, found.manifest, html, junit)]
    if bundle:
        count = found.bundle(bundle)
        written.append(f"{bundle} ({count} files; review it before you share it)")
    if written and not context.json:
        context.console.result("\n".join(f"wrote {each}" for each in written), None)
    else:
        context.console.result("" if context.json else text.render(report), data.run_data(report))


def _files(
    report: RunReport, manifest: Manifest | None, html: Path | None, junit: Path | None
) -> Iterator[str]:
    """Write the files that were asked for; yields their names."""
    if html:
        with replacing(html, 0o666) as file:
            file.write(page(report, manifest).encode())
        yield str(html)
    if junit:
        with replacing(junit, 0o666) as file:
            file.write(document(report).encode())
        yield str(junit)
