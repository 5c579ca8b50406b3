"""``stackcook verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackcook.api.deployment import verify
from stackcook.cli.context import OUTPUT, Context, login_options, zone_option
from stackcook.cli.help import Command
from stackcook.errors import ExitCode
from stackcook.files import replacing
from stackcook.manifest.model import Manifest
from stackcook.operations import tempest as tempest_operation
from stackcook.operations.limit import check_zone, of_one_zone
from stackcook.operations.site import Site
from stackcook.report import tempest as tempest_report
from stackcook.report.checks import render as page
from stackcook.report.junit import of_verification
from stackcook.report.text import verification
from stackcook.verify.check import Report
from stackcook.verify.tempest import guideline
from stackcook.verify.tempest.run import Request


def _tests(_ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """What --tempest takes besides names of tests, for shell completion."""
    return [word for word in ("smoke",) if word.startswith(begun)]


@click.command(
    cls=Command,
    examples="""
    stackcook verify
    # faster: do not boot instances
    stackcook verify --no-instance
    # also read the logs, and use Horizon in a browser
    stackcook verify --logs --horizon --html verify.html
    # OpenStack's own smoke tests
    stackcook verify --tempest smoke
    """,
)
@click.option(
    "--patience",
    type=click.FloatRange(0, 600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to retry checks of services that may still be starting; an instance has at"
    " least 180 seconds to boot.",
)
@click.option(
    "--instance/--no-instance",
    default=None,
    help="Boot an instance on each compute node, check it, and delete it; by default if the cloud"
    " has an external network and an image called test, or as the manifest says.",
)
@click.option(
    "--logs",
    is_flag=True,
    help="Also check the logs of all nodes since the last deploy began: critical errors,"
    " tracebacks, services that crashed or were restarted, processes killed for lack of memory.",
)
@click.option(
    "--horizon",
    is_flag=True,
    help="Use Horizon in a browser: log in, launch an instance, open its console. Needs Debian's"
    " chromium, chromium-driver and python3-selenium.",
)
@click.option(
    "--html",
    metavar="FILE",
    type=OUTPUT,
    help="Write the checks, and the screenshots of Horizon, as a self-contained HTML page.",
)
@click.option(
    "--junit",
    metavar="FILE",
    type=OUTPUT,
    help="Write JUnit XML, for CI: the checks, or the tests of Tempest.",
)
@click.option(
    "--tempest",
    metavar="smoke|REGEX",
    shell_complete=_tests,
    help="Run OpenStack's test suite instead: its smoke tests, or those whose names match.",
)
@click.option(
    "--interop",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="GUIDELINE.json",
    help="Run the tests of an OpenInfra interoperability guideline instead, and list the"
    " capabilities.",
)
@click.option(
    "--keep-tempest",
    is_flag=True,
    help="Leave Tempest installed on its node, so that the next run starts sooner.",
)
@zone_option
@login_options
@click.pass_obj
def command(
    context: Context,
    patience: float,
    instance: bool | None,
    logs: bool,
    horizon: bool,
    html: Path | None,
    junit: Path | None,
    tempest: str | None,
    interop: Path | None,
    keep_tempest: bool,
    zone: str | None,
) -> ExitCode:
    """Check that the cloud works: Keystone, all endpoints, Horizon, agents, services, instances.

    Each failure shows the node, the likely cause and a command for diagnosis.
    """
    if tempest is not None or interop:
        return _tempest(context, tempest, interop, keep_tempest, junit, zone)
    manifest = context.load_deployed()
    if zone is not None:
        check_zone(manifest, zone)
    if not manifest.nodes:
        data = {**_data(Report(()), manifest), "ok": True}
        context.console.result("nothing to verify: the manifest has no nodes", data)
        return ExitCode.DONE
    report = verify(
        Site(manifest, context.access),
        patience,
        zone=zone or "",
        instance=instance,
        logs=logs,
        horizon=horizon,
        user=context.user,
        say=context.console.note,
    )
    for path, render in ((html, page), (junit, of_verification)):
        if path:
            _write(path, render(report, manifest.name))
    context.console.result(verification(report), _data(report, manifest))
    return ExitCode.DONE if report.ok else ExitCode.VERIFY


def _data(report: Report, manifest: Manifest) -> dict[str, Any]:
    return {"cloud": manifest.name, **report.data()}


def _tempest(
    context: Context,
    tempest: str | None,
    interop: Path | None,
    keep: bool,
    junit: Path | None,
    zone: str | None,
) -> ExitCode:
    if tempest is not None and interop:
        raise click.UsageError("--tempest and --interop cannot be combined")
    request = Request(tempest or "", guideline.load(interop) if interop else None, keep)
    manifest = of_one_zone(context.load_deployed(), zone)
    site = Site(manifest, context.access)
    site.make_ready(context.user)
    site.machines.prepare()  # without its network, packets would take the default route
    with context.console.run() as listen:
        report = tempest_operation.run(site, manifest.name, request, listen)
    if junit:
        _write(junit, tempest_report.junit(report, manifest.name))
    data = tempest_report.data(report, manifest.name)
    context.console.result(tempest_report.render(report), data)
    return ExitCode.DONE if report.ok else ExitCode.VERIFY


def _write(path: Path, text: str) -> None:
    with replacing(path, 0o666) as file:
        file.write(text.encode())
